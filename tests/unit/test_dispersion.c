/* The kernels of DFT-D3 of every instruction set, against plain formulas. Triples are compared with
 * plain sums by test_three_body.c, and here with each other. */
#include "core/cpu/kernels/kernels.h"
#include "tests/unit/support_kernels.h"

#define N 203
#define STRIDE 300

struct sample {
  double x[N], y[N], z[N], weights[DISPERSION_REFERENCES * STRIDE], slopes[STRIDE];
  struct dispersion_tile tile;
};

/* Atoms in slots from 40 on, one of them in the point itself. */
static void sample(struct sample *s) {
  struct rng rng = {11};
  memset(s, 0, sizeof *s);
  rng_fill(&rng, DISPERSION_REFERENCES * STRIDE, s->weights);
  rng_fill(&rng, STRIDE, s->slopes);
  for (size_t i = 0; i < N; i++) {
    s->x[i] = 9 * rng_next(&rng);
    s->y[i] = 9 * rng_next(&rng);
    s->z[i] = 9 * rng_next(&rng);
  }
}

static const struct dispersion_range ranges[2] = {{7, 0}, {7, 1.5}};

static void take_all(const struct kernels *kernels, struct sample *s, double reach) {
  sample(s);
  const double point[3] = {s->x[17], s->y[17], s->z[17]};
  kernels->dispersion->take(N, s->x, s->y, s->z, 40, point, reach, &s->tile);
}

static void check_take(const struct kernels *kernels) {
  static struct sample s;
  if (!kernels->dispersion) {
    assert_int_equal(kernels->precision, IRREP_FLOAT32);
    return;
  }
  sample(&s);
  const double point[3] = {s.x[17], s.y[17], s.z[17]};
  size_t n = 0;
  kernels->dispersion->take(100, s.x, s.y, s.z, 40, point, 8, &s.tile);
  kernels->dispersion->take(N - 100, s.x + 100, s.y + 100, s.z + 100, 140, point, 8, &s.tile);
  for (size_t i = 0; i < N; i++) {
    const double d[3] = {point[0] - s.x[i], point[1] - s.y[i], point[2] - s.z[i]};
    if (i == 17 || dot(3, d, d) >= 64)
      continue;
    assert_int_equal(s.tile.slots[n], 40 + i);
    assert_true(s.tile.x[n] == d[0] && s.tile.y[n] == d[1] && s.tile.z[n] == d[2]);
    n++;
  }
  assert_true(n > 20);
  assert_int_equal(s.tile.n, n);
}

static void test_take(void **state) {
  (void)state;
  for_each_table(check_take);
}

/* 10 x^3 - 15 x^4 + 6 x^5. */
static double plain_switch(double r, const struct dispersion_range *range) {
  const double x = range->width > 0 ? (range->cutoff - r) / range->width : 2;
  return r >= range->cutoff ? 0 : x >= 1 ? 1 : x * x * x * (10 - 15 * x + 6 * x * x);
}

static double plain_count(double r, double radius, const struct dispersion_range *range) {
  return plain_switch(r, range) / (1 + exp(-16 * (radius / r - 1)));
}

static double plain_damped(double r, const struct dispersion_damping *d,
                           const struct dispersion_range *range) {
  const double r6 = pow(r, 6), r8 = pow(r, 8);
  const double e6 = d->zero ? 1 / (r6 * (1 + d->d6 / pow(r, 14))) : 1 / (r6 + d->d6);
  const double e8 = d->zero ? 1 / (r8 * (1 + d->d8 / pow(r, 16))) : 1 / (r8 + d->d8);
  return (d->s6 * e6 + d->s8 * e8) * plain_switch(r, range);
}

/* Forces and virials of pairs whose energy by the distance has the given slope. */
static void add_plain(struct dispersion_sums *sums, const double d[3], double r, double slope) {
  static const size_t rows[6] = {0, 1, 2, 1, 0, 0}, columns[6] = {0, 1, 2, 2, 2, 1};
  for (size_t k = 0; k < 3; k++)
    sums->force[k] -= slope * d[k] / r;
  for (size_t k = 0; k < 6; k++)
    sums->virial[k] -= 0.5 * slope * d[rows[k]] * d[columns[k]] / r;
}

static void assert_same_gradients(const struct dispersion_sums *found,
                                  const struct dispersion_sums *expected) {
  assert_all_close(found->force, expected->force, 3, 1e-8, 1e-8);
  assert_all_close(found->virial, expected->virial, 6, 1e-8, 1e-8);
}

static void check_coordination(const struct kernels *kernels) {
  static struct sample s;
  const double radius = 2.6, own = 0.7, h = 1e-5;
  for (size_t m = 0; kernels->dispersion && m < 2; m++) {
    take_all(kernels, &s, 8);
    struct dispersion_sums sums = {.force = {0}}, expected = sums;
    double count = 0;
    for (size_t i = 0; i < s.tile.n; i++) {
      const double d[3] = {s.tile.x[i], s.tile.y[i], s.tile.z[i]}, r = sqrt(dot(3, d, d));
      count += plain_count(r, radius, &ranges[m]);
      const double slope =
          (plain_count(r + h, radius, &ranges[m]) - plain_count(r - h, radius, &ranges[m])) /
          (2 * h);
      add_plain(&expected, d, r, (own + s.slopes[s.tile.slots[i]]) * slope);
    }
    const double found = kernels->dispersion->coordination(&s.tile, radius, &ranges[m]);
    assert_all_close(&found, &count, 1, 0, 1e-13);
    kernels->dispersion->coordination_forces(&s.tile, radius, &ranges[m], own, s.slopes, &sums);
    assert_same_gradients(&sums, &expected);
  }
}

static void test_coordination(void **state) {
  (void)state;
  for_each_table(check_coordination);
}

static void check_damping(const struct kernels *kernels, const struct dispersion_damping *damping,
                          const struct dispersion_range *range, size_t n_references) {
  static struct sample s;
  const double c6[DISPERSION_REFERENCES] = {11, 7, 5, 3, 2}, h = 1e-5;
  struct dispersion_sums sums = {.force = {0}}, expected = sums, none = sums;
  take_all(kernels, &s, 8);
  for (size_t i = 0; i < s.tile.n; i++) {
    const double d[3] = {s.tile.x[i], s.tile.y[i], s.tile.z[i]}, r = sqrt(dot(3, d, d));
    const double slope =
        (plain_damped(r + h, damping, range) - plain_damped(r - h, damping, range)) / (2 * h);
    double weighted = 0;
    for (size_t b = 0; b < n_references; b++) {
      const double w = s.weights[b * STRIDE + s.tile.slots[i]];
      expected.damped[b] += w * plain_damped(r, damping, range);
      weighted += w * c6[b];
    }
    add_plain(&expected, d, r, -weighted * slope);
  }
  kernels->dispersion->pairs(&s.tile, damping, range, n_references, s.weights, STRIDE, c6, true,
                             &sums);
  kernels->dispersion->pairs(&s.tile, damping, range, n_references, s.weights, STRIDE, c6, false,
                             &none);
  assert_all_close(sums.damped, expected.damped, DISPERSION_REFERENCES, 1e-15, 1e-12);
  assert_memory_equal(sums.damped, none.damped, sizeof none.damped);
  assert_true(none.force[0] == 0 && none.virial[0] == 0);
  assert_same_gradients(&sums, &expected);
}

static void check_pairs(const struct kernels *kernels) {
  const struct dispersion_damping dampings[2] = {
      {.zero = false, .s6 = 1, .s8 = 8, .d6 = 300, .d8 = 2000},
      {.zero = true, .s6 = 0.9, .s8 = 5, .d6 = 6 * pow(2.1, 14), .d8 = 6 * pow(1.8, 16)}};
  for (size_t i = 0; kernels->dispersion && i < 2; i++)
    for (size_t m = 0; m < 2; m++)
      for (size_t n = 1; n <= DISPERSION_REFERENCES; n++)
        check_damping(kernels, &dampings[i], &ranges[m], n);
}

static void test_pairs(void **state) {
  (void)state;
  for_each_table(check_pairs);
}

#define ROOM (N + DISPERSION_SPARE)

/* Triples of one table, and what they give. */
static void triples_by(const struct dispersion_kernels *kernels, size_t m, double out[2 + ROOM]) {
  static double arrays[11 + DISPERSION_REFERENCES][ROOM];
  struct rng rng = {13};
  struct dispersion_around a = {N,         arrays[0],  arrays[1], arrays[2], arrays[3],
                                arrays[4], arrays[5],  arrays[6], arrays[7], arrays[8],
                                arrays[9], arrays[10], {NULL}};
  memset(arrays, 0, sizeof arrays);
  for (size_t r = 0; r < DISPERSION_REFERENCES; r++)
    a.weights[r] = arrays[11 + r];
  for (size_t i = 0; i < ROOM; i++) {
    const bool there = i < N;
    a.x[i] = there ? 7 * rng_next(&rng) : 1e5;
    a.y[i] = there ? 7 * rng_next(&rng) : 1e5;
    a.z[i] = there ? 7 * rng_next(&rng) : 1e5;
    a.squared[i] = a.x[i] * a.x[i] + a.y[i] * a.y[i] + a.z[i] * a.z[i];
    a.inverse[i] = pow(a.squared[i], -1.5);
    a.damping[i] = pow(3 / sqrt(a.squared[i]), 16.0 / 3);
    a.root_c6[i] = 3 + rng_next(&rng);
    a.c6_slope[i] = rng_next(&rng);
    for (size_t r = 0; r < DISPERSION_REFERENCES; r++)
      a.weights[r][i] = 0.2 + 0.1 * rng_next(&rng);
  }
  kernels->switch_off(N, a.squared, &ranges[m], a.value, a.slope);
  struct dispersion_triples t = {.j = 3,
                                 .begin = 5,
                                 .end = 190,
                                 .factor = 1,
                                 .damping = 6 * pow(3, 16.0 / 3),
                                 .c6 = {9, 8, 7, 6, 5}};
  kernels->triples(&a, &ranges[m], &t);
  out[0] = t.energy;
  out[1] = t.slope;
  memcpy(out + 2, a.by_squared, ROOM * sizeof(double));
}

static void check_triples(const struct kernels *kernels) {
  for (size_t m = 0; kernels->dispersion && m < 2; m++) {
    double found[2 + ROOM], expected[2 + ROOM];
    triples_by(kernels->dispersion, m, found);
    triples_by(kernels_plain(IRREP_FLOAT64)->dispersion, m, expected);
    assert_true(fabs(expected[0]) > 1e-6);
    assert_all_close(found, expected, 2 + ROOM, 1e-15, 1e-11);
    for (size_t i = 2 + 190; i < 2 + ROOM; i++)
      assert_true(found[i] == 0);
  }
}

static void test_triples(void **state) {
  (void)state;
  for_each_table(check_triples);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_take),
      cmocka_unit_test(test_coordination),
      cmocka_unit_test(test_pairs),
      cmocka_unit_test(test_triples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
