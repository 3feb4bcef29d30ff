/* DFT-D3: S. Grimme, J. Antony, S. Ehrlich and H. Krieg, J. Chem. Phys. 132, 154104 (2010), and
 * S. Grimme, S. Ehrlich and L. Goerigk, J. Comput. Chem. 32, 1456 (2011). The lanes of a vector are
 * pairs of an atom. */
#include "core/cpu/kernels/dispersion.h"

#if IRREP_REAL_BITS == 64

#include "core/cpu/kernels/vector_math.h"

#include <math.h>
#if VECTOR_BYTES > 16
#include <immintrin.h>
#endif

/* Further away than any cutoff, Angstrom. */
#define FAR_AWAY 1e5

/* Steepness of the coordination number. */
#define STEEPNESS 16.0

static inline vec vec_sqrt(vec x) {
#if VECTOR_BYTES == 64
  return (vec)_mm512_sqrt_pd((__m512d)x);
#elif VECTOR_BYTES == 32
  return (vec)_mm256_sqrt_pd((__m256d)x);
#else
  vec root = {0};
  for (size_t lane = 0; lane < VECTOR_LANES; lane++)
    root[lane] = sqrt(x[lane]);
  return root;
#endif
}

/* 1 / x and 1 / sqrt(x) of positive numbers, good to a few units in the last place: of AVX-512 two
 * steps of Newton's are several times as fast as dividing. */
static inline vec vec_inverse(vec x) {
#if VECTOR_BYTES == 64
  vec y = (vec)_mm512_rcp14_pd((__m512d)x);
  y *= 2 - x * y;
  return y * (2 - x * y);
#else
  return 1 / x;
#endif
}

static inline vec vec_inverse_root(vec x) {
#if VECTOR_BYTES == 64
  vec y = (vec)_mm512_rsqrt14_pd((__m512d)x);
  y *= 1.5 - 0.5 * x * y * y;
  return y * (1.5 - 0.5 * x * y * y);
#else
  return 1 / vec_sqrt(x);
#endif
}

static inline vec vec_gather(const double *base, const uint32_t *slots) {
#if VECTOR_BYTES == 64
  return (vec)_mm512_i32gather_pd(_mm256_loadu_si256((const __m256i *)slots), base, 8);
#else
  vec v = {0};
  for (size_t lane = 0; lane < VECTOR_LANES; lane++)
    v[lane] = base[slots[lane]];
  return v;
#endif
}

/* Lanes within the cutoff keep x, the others get zero. */
static inline vec within(vec squared, double cutoff, vec x) {
  return vec_select(vec_less(squared, vec_all(cutoff * cutoff)), x, vec_all(0));
}

/* Pairs within reach */

#if VECTOR_BYTES == 64
static void take(size_t n, const double *x, const double *y, const double *z, size_t first,
                 const double point[3], double reach, struct dispersion_tile *tile) {
  const __m512d px = _mm512_set1_pd(point[0]), py = _mm512_set1_pd(point[1]),
                pz = _mm512_set1_pd(point[2]), limit = _mm512_set1_pd(reach * reach);
  const __m256i steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  size_t count = tile->n;
  for (size_t i = 0; i < n; i += VECTOR_LANES) {
    const __mmask8 there = (__mmask8)(n - i < VECTOR_LANES ? (1u << (n - i)) - 1 : 0xff);
    const __m512d dx = px - _mm512_maskz_loadu_pd(there, x + i);
    const __m512d dy = py - _mm512_maskz_loadu_pd(there, y + i);
    const __m512d dz = pz - _mm512_maskz_loadu_pd(there, z + i);
    const __m512d squared = dx * dx + dy * dy + dz * dz;
    const __mmask8 near = _mm512_mask_cmp_pd_mask(there, squared, limit, _CMP_LT_OQ) &
                          _mm512_cmp_pd_mask(squared, _mm512_setzero_pd(), _CMP_GT_OQ);
    const __m256i slots = _mm256_add_epi32(_mm256_set1_epi32((int)(uint32_t)(first + i)), steps);
    _mm512_storeu_pd(tile->x + count, _mm512_maskz_compress_pd(near, dx));
    _mm512_storeu_pd(tile->y + count, _mm512_maskz_compress_pd(near, dy));
    _mm512_storeu_pd(tile->z + count, _mm512_maskz_compress_pd(near, dz));
    _mm256_storeu_si256((__m256i *)(tile->slots + count), _mm256_maskz_compress_epi32(near, slots));
    count += (size_t)__builtin_popcount(near);
  }
  tile->n = count;
}
#else
static void take(size_t n, const double *x, const double *y, const double *z, size_t first,
                 const double point[3], double reach, struct dispersion_tile *tile) {
  size_t count = tile->n;
  for (size_t i = 0; i < n; i++) {
    const double dx = point[0] - x[i], dy = point[1] - y[i], dz = point[2] - z[i];
    const double squared = dx * dx + dy * dy + dz * dz;
    tile->x[count] = dx;
    tile->y[count] = dy;
    tile->z[count] = dz;
    tile->slots[count] = (uint32_t)(first + i);
    count += (squared < reach * reach) & (squared > 0);
  }
  tile->n = count;
}
#endif

/* Fills the last vector up with atoms that are far away. */
static void fill_up(struct dispersion_tile *tile) {
  for (size_t i = tile->n; i % VECTOR_LANES != 0; i++) {
    tile->x[i] = tile->y[i] = tile->z[i] = FAR_AWAY;
    tile->slots[i] = tile->slots[0];
  }
}

/* The switch */

struct switched {
  vec value, slope; /* slope: by the square of the distance */
};

static inline struct switched switch_off(vec squared, const struct dispersion_range *range) {
  const vec r = vec_sqrt(squared);
  const vec x = (vec_all(range->cutoff) - r) / range->width;
  const vec_mask inside = vec_less(vec_all(1), x);
  const vec value = x * x * x * (10 + x * (6 * x - 15));
  const vec slope = -15 / range->width * x * x * (1 - x) * (1 - x) / r;
  return (struct switched){vec_select(inside, vec_all(1), value),
                           vec_select(inside, vec_all(0), slope)};
}

/* Times the switch: a value and its slope by the square of the distance. */
static inline void apply_switch(vec squared, const struct dispersion_range *range, vec *value,
                                vec *slope) {
  if (range->width > 0) {
    const struct switched s = switch_off(squared, range);
    *slope = *slope * s.value + *value * s.slope;
    *value *= s.value;
  }
}

/* Coordination numbers */

/* f(r) and its slope by r^2, beyond the cutoff too. */
static inline vec count_of(vec squared, double radius, vec *slope) {
  const vec per_r = vec_inverse_root(squared);
  const vec a = STEEPNESS * (radius * per_r - 1);
  vec unused;
  const vec e = vec_exp(-vec_abs(a), &unused), inverse = vec_inverse(1 + e);
  *slope = (-STEEPNESS / 2 * radius) * e * inverse * inverse * per_r * per_r * per_r;
  return vec_select(vec_less(a, vec_all(0)), e * inverse, inverse);
}

static inline vec squared_at(const struct dispersion_tile *tile, size_t i, vec d[3]) {
  d[0] = vec_read(tile->x + i);
  d[1] = vec_read(tile->y + i);
  d[2] = vec_read(tile->z + i);
  return d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
}

static double coordination(struct dispersion_tile *tile, double radius,
                           const struct dispersion_range *range) {
  vec sum = {0};
  fill_up(tile);
  for (size_t i = 0; i < tile->n; i += VECTOR_LANES) {
    vec d[3], slope;
    const vec squared = squared_at(tile, i, d);
    vec value = count_of(squared, radius, &slope);
    apply_switch(squared, range, &value, &slope);
    sum += within(squared, range->cutoff, value);
  }
  return vec_sum(sum);
}

/* Sums of forces and virials, by lane. */
struct gradients {
  vec force[3], virial[6];
};

/* Adds pairs whose force on the atom is `strength` times the vector to it. The virial of a pair is
 * shared by its atoms. */
static inline void add_pairs(struct gradients *sums, const vec d[3], vec strength) {
  const vec f[3] = {strength * d[0], strength * d[1], strength * d[2]};
  for (size_t k = 0; k < 3; k++) {
    sums->force[k] += f[k];
    sums->virial[k] += f[k] * d[k];
  }
  sums->virial[3] += f[1] * d[2];
  sums->virial[4] += f[0] * d[2];
  sums->virial[5] += f[0] * d[1];
}

static inline void add_sums(const struct gradients *sums, struct dispersion_sums *out) {
  for (size_t k = 0; k < 3; k++)
    out->force[k] += vec_sum(sums->force[k]);
  for (size_t k = 0; k < 6; k++)
    out->virial[k] += 0.5 * vec_sum(sums->virial[k]);
}

static void coordination_forces(struct dispersion_tile *tile, double radius,
                                const struct dispersion_range *range, double own,
                                const double *slopes, struct dispersion_sums *sums) {
  struct gradients gradients = {0};
  fill_up(tile);
  for (size_t i = 0; i < tile->n; i += VECTOR_LANES) {
    vec d[3], slope;
    const vec squared = squared_at(tile, i, d);
    vec value = count_of(squared, radius, &slope);
    apply_switch(squared, range, &value, &slope);
    const vec of_both = own + vec_gather(slopes, tile->slots + i);
    add_pairs(&gradients, d, within(squared, range->cutoff, -2 * slope * of_both));
  }
  add_sums(&gradients, sums);
}

/* Pairs */

/* p(r) and its slope by u = r^2. */
static inline vec damp(vec u, const struct dispersion_damping *damping, bool zero, vec *slope) {
  const vec u2 = u * u;
  if (zero) {
    const vec w = vec_inverse(u), w2 = w * w, w3 = w2 * w, w4 = w2 * w2;
    const vec t6 = damping->d6 * w4 * w3, t8 = damping->d8 * w4 * w4;
    const vec f6 = vec_inverse(1 + t6), f8 = vec_inverse(1 + t8);
    const vec p6 = damping->s6 * f6 * w3, p8 = damping->s8 * f8 * w4;
    *slope = w * (p6 * (7 * t6 * f6 - 3) + p8 * (8 * t8 * f8 - 4));
    return p6 + p8;
  }
  const vec q6 = u2 * u + damping->d6, q8 = u2 * u2 + damping->d8, both = vec_inverse(q6 * q8);
  const vec e6 = q8 * both, e8 = q6 * both;
  const vec p6 = damping->s6 * e6, p8 = damping->s8 * e8;
  *slope = -u2 * (3 * p6 * e6 + 4 * u * p8 * e8);
  return p6 + p8;
}

static inline __attribute__((always_inline)) void
sum_pairs(const struct dispersion_tile *tile, const struct dispersion_damping *damping, bool zero,
          const struct dispersion_range *range, size_t n_references, const double *weights,
          size_t stride, const double *c6, bool forces, struct dispersion_sums *sums) {
  struct gradients gradients = {0};
  vec damped[DISPERSION_REFERENCES] = {{0}};
  for (size_t i = 0; i < tile->n; i += VECTOR_LANES) {
    vec d[3], slope, c = {0};
    const vec squared = squared_at(tile, i, d);
    vec value = damp(squared, damping, zero, &slope);
    apply_switch(squared, range, &value, &slope);
    value = within(squared, range->cutoff, value);
#pragma GCC unroll 5
    for (size_t b = 0; b < n_references; b++) {
      const vec w = vec_gather(weights + b * stride, tile->slots + i);
      damped[b] += value * w;
      c += c6[b] * w;
    }
    if (forces)
      add_pairs(&gradients, d, within(squared, range->cutoff, 2 * c * slope));
  }
  for (size_t b = 0; b < n_references; b++)
    sums->damped[b] += vec_sum(damped[b]);
  if (forces)
    add_sums(&gradients, sums);
}

/* The number of references known to the compiler, all sums stay in registers. */
static inline __attribute__((always_inline)) void
pairs_by_number(const struct dispersion_tile *tile, const struct dispersion_damping *damping,
                bool zero, const struct dispersion_range *range, size_t n_references,
                const double *weights, size_t stride, const double *c6, bool forces,
                struct dispersion_sums *sums) {
  switch (n_references) {
  case 1:
    sum_pairs(tile, damping, zero, range, 1, weights, stride, c6, forces, sums);
    break;
  case 2:
    sum_pairs(tile, damping, zero, range, 2, weights, stride, c6, forces, sums);
    break;
  case 3:
    sum_pairs(tile, damping, zero, range, 3, weights, stride, c6, forces, sums);
    break;
  case 4:
    sum_pairs(tile, damping, zero, range, 4, weights, stride, c6, forces, sums);
    break;
  default:
    sum_pairs(tile, damping, zero, range, 5, weights, stride, c6, forces, sums);
    break;
  }
}

static void pairs(struct dispersion_tile *tile, const struct dispersion_damping *damping,
                  const struct dispersion_range *range, size_t n_references, const double *weights,
                  size_t stride, const double *c6, bool forces, struct dispersion_sums *sums) {
  fill_up(tile);
  if (damping->zero)
    pairs_by_number(tile, damping, true, range, n_references, weights, stride, c6, forces, sums);
  else
    pairs_by_number(tile, damping, false, range, n_references, weights, stride, c6, forces, sums);
}

/* Triples */

typedef int64_t vec_integers __attribute__((vector_size(VECTOR_BYTES)));

/* x^(-1/3) for positive x: from the bits of x, whose error of 4 % four steps of Newton's square. */
static inline vec inverse_cube_root(vec x) {
  const double start = 4.0 / 3.0 * (1023 - 0.0450466) * 0x1p52;
  const vec bits = __builtin_convertvector((vec_integers)x, vec);
  vec y = (vec) __builtin_convertvector(start - bits * (1.0 / 3.0), vec_integers);
#pragma GCC unroll 4
  for (int step = 0; step < 4; step++)
    y *= (4 - x * y * y * y) * (1.0 / 3.0);
  return y;
}

/* u_ij = a, u_ik = b, u_jk = c: the angular part of the energy and its slopes by a and b. */
struct angular {
  vec value, by_a, by_b;
};

static inline struct angular angular_of(double a, vec b, vec c, vec per_a, vec per_b, vec per_c,
                                        vec inverse) {
  const vec l1 = a + c - b, l2 = a - c + b, l3 = b + c - a;
  const vec scale = 0.375 * inverse * per_a * per_b * per_c;
  const vec product = scale * l1 * l2 * l3;
  return (struct angular){
      .value = product + inverse,
      .by_a = scale * (l2 * l3 + l1 * l3 - l1 * l2) - (2.5 * product + 1.5 * inverse) * per_a,
      .by_b = scale * (l1 * l3 + l1 * l2 - l2 * l3) - (2.5 * product + 1.5 * inverse) * per_b,
  };
}

static void triples(const struct dispersion_around *around, const struct dispersion_range *range,
                    struct dispersion_triples *t) {
  const size_t j = t->j;
  const double a = around->squared[j], root_j = t->factor * around->root_c6[j];
  const vec per_a = vec_all(1 / a);
  vec energy = {0}, slope = {0}, by_a = {0};
  for (size_t k = t->begin; k < t->end; k += VECTOR_LANES) {
    const vec dx = vec_read(around->x + k) - around->x[j];
    const vec dy = vec_read(around->y + k) - around->y[j];
    const vec dz = vec_read(around->z + k) - around->z[j];
    const vec b = vec_read(around->squared + k), c = dx * dx + dy * dy + dz * dz;
    vec_mask there = vec_less(c, vec_all(range->cutoff * range->cutoff));
    vec c6 = {0}, number;
    for (size_t lane = 0; lane < VECTOR_LANES; lane++)
      number[lane] = (double)(k + lane);
#pragma GCC unroll 5
    for (size_t r = 0; r < DISPERSION_REFERENCES; r++)
      c6 += t->c6[r] * vec_read(around->weights[r] + k);
    const vec per_root = vec_inverse_root(c), per_c = per_root * per_root;
    const vec per_cubed = per_c * per_root, per_b = vec_inverse(b), root3 = inverse_cube_root(c),
              root6 = root3 * root3;
    const vec inverse = around->inverse[j] * vec_read(around->inverse + k) * per_cubed;
    const vec damping = t->damping * around->damping[j] * vec_read(around->damping + k) *
                        (root6 * root6) * (root6 * root6);
    const vec f = vec_inverse(1 + damping), f_slope = 8.0 / 3.0 * damping * f * f;
    const struct angular angular = angular_of(a, b, c, per_a, per_b, per_c, inverse);
    vec strength = root_j * vec_read(around->root_c6 + k) * vec_sqrt(c6);
    if (range->width > 0)
      strength *= switch_off(c, range).value;
    strength = vec_select(there & vec_less(number, vec_all((double)t->end)), strength, vec_all(0));
    const vec value_j = vec_all(around->value[j]), value_k = vec_read(around->value + k);
    const vec whole = f * angular.value, both = value_j * value_k;
    const vec e = strength * both * whole;
    const vec e_a = strength * (both * (f * angular.by_a + f_slope * per_a * angular.value) +
                                around->slope[j] * value_k * whole);
    const vec e_b = strength * (both * (f * angular.by_b + f_slope * per_b * angular.value) +
                                vec_read(around->slope + k) * value_j * whole);
    energy += e;
    slope += e * (around->c6_slope[j] + vec_read(around->c6_slope + k));
    by_a += e_a;
    vec_write(around->by_squared + k, vec_read(around->by_squared + k) + e_b);
  }
  t->energy += vec_sum(energy);
  t->slope += vec_sum(slope);
  around->by_squared[j] += vec_sum(by_a);
}

static void fill_switch(size_t n, const double *squared, const struct dispersion_range *range,
                        double *value, double *slope) {
  for (size_t i = 0; i < n; i += VECTOR_LANES) {
    struct switched s = {vec_all(1), vec_all(0)};
    const vec u = vec_read(squared + i);
    if (range->width > 0)
      s = switch_off(u, range);
    vec_write(value + i, within(u, range->cutoff, s.value));
    vec_write(slope + i, within(u, range->cutoff, s.slope));
  }
}

const struct dispersion_kernels KERNEL(dispersion_kernels) = {
    .take = take,
    .coordination = coordination,
    .coordination_forces = coordination_forces,
    .pairs = pairs,
    .triples = triples,
    .switch_off = fill_switch,
};

#else

/* A file is not empty. */
typedef int dispersion_is_double;

#endif
