/* Tensor squares that are products of 3x3 matrices (Simeon and de Fabritiis 2023, arXiv:2306.06482,
 * section 3.2), told by their components in the basis of core/builders/build_matrices.c, channel by
 * channel:
 *
 *   out = a b + b a of two matrices or, where b is a, out = a + a a
 *
 * with in [n_rows][in_dim], out [n_rows][out_dim]. With S the symmetric part and v the vector of
 * the antisymmetric one, [v]: S [v] + [v] S = [tr(S) v - S v], and [v] [w] + [w] [v] = v w^T + w
 * v^T - 2 v.w. Adjoint, of a gradient G: grad a = G b^T + b^T G, grad b = G a^T + a^T G, and of the
 * square grad a = G + G a^T + a^T G. */
#include "core/cpu/kernels/matrix_product.h"

#define N_COMPONENTS 9

/* Elements of the symmetric part, and the vector of the antisymmetric one. */
struct matrix3 {
  vec xx, yy, zz, yz, xz, xy;
  vec v[3];
};

static const real root_2 = (real)1.41421356237309504880, inverse_2 = (real)0.70710678118654752440;
static const real inverse_3 = (real)0.57735026918962576451,
                  inverse_6 = (real)0.40824829046386301637;

static inline struct matrix3 load(const real *row, const size_t *offset) {
  vec x[N_COMPONENTS];
#pragma GCC unroll 9
  for (size_t k = 0; k < N_COMPONENTS; k++)
    x[k] = vec_load(row + offset[k]);
  const vec third = inverse_3 * x[0], tilt = inverse_6 * x[6], turn = inverse_2 * x[8];
  return (struct matrix3){.xx = third - tilt - turn,
                          .yy = third + 2 * tilt,
                          .zz = third - tilt + turn,
                          .yz = inverse_2 * x[7],
                          .xz = inverse_2 * x[4],
                          .xy = inverse_2 * x[5],
                          .v = {inverse_2 * x[1], inverse_2 * x[2], inverse_2 * x[3]}};
}

static inline void components(const struct matrix3 *m, vec x[N_COMPONENTS]) {
  x[0] = inverse_3 * (m->xx + m->yy + m->zz);
  for (size_t i = 0; i < 3; i++)
    x[1 + i] = root_2 * m->v[i];
  x[4] = root_2 * m->xz;
  x[5] = root_2 * m->xy;
  x[6] = inverse_6 * (2 * m->yy - m->xx - m->zz);
  x[7] = root_2 * m->yz;
  x[8] = inverse_2 * (m->zz - m->xx);
}

/* Adds tr(S) w - S w of the symmetric part of a matrix. */
static inline void add_turned(const struct matrix3 *s, const vec w[3], vec sum[3]) {
  sum[0] += (s->yy + s->zz) * w[0] - s->xy * w[1] - s->xz * w[2];
  sum[1] += (s->xx + s->zz) * w[1] - s->xy * w[0] - s->yz * w[2];
  sum[2] += (s->xx + s->yy) * w[2] - s->xz * w[0] - s->yz * w[1];
}

/* a b + b a or, with the sign -1, a b^T + b^T a. */
static inline struct matrix3 product(const struct matrix3 *a, const struct matrix3 *b, real sign) {
  const vec w[3] = {sign * b->v[0], sign * b->v[1], sign * b->v[2]};
  const vec *v = a->v, along = v[0] * w[0] + v[1] * w[1] + v[2] * w[2];
  const vec x = v[0] * w[0] - along, y = v[1] * w[1] - along, z = v[2] * w[2] - along;
  struct matrix3 p = {
      .xx = 2 * (a->xx * b->xx + a->xy * b->xy + a->xz * b->xz + x),
      .yy = 2 * (a->yy * b->yy + a->xy * b->xy + a->yz * b->yz + y),
      .zz = 2 * (a->zz * b->zz + a->xz * b->xz + a->yz * b->yz + z),
      .yz = a->xy * b->xz + a->xz * b->xy + a->yz * (b->yy + b->zz) + (a->yy + a->zz) * b->yz,
      .xz = a->xy * b->yz + a->yz * b->xy + a->xz * (b->xx + b->zz) + (a->xx + a->zz) * b->xz,
      .xy = a->xz * b->yz + a->yz * b->xz + a->xy * (b->xx + b->yy) + (a->xx + a->yy) * b->xy};
  p.yz += v[1] * w[2] + v[2] * w[1];
  p.xz += v[0] * w[2] + v[2] * w[0];
  p.xy += v[0] * w[1] + v[1] * w[0];
  add_turned(a, w, p.v);
  add_turned(b, v, p.v);
  return p;
}

void KERNEL(matrix_product)(const struct tensor_square *op, size_t n_rows, const void *in,
                            void *out) {
  for (size_t r = 0; r < n_rows; r++)
    for (size_t c = 0; c < op->channels; c += VECTOR_LANES) {
      const real *x = (const real *)in + r * op->in_dim + c;
      real *y = (real *)out + r * op->out_dim + c;
      const struct matrix3 a = load(x, op->in_offset), b = load(x + op->twin, op->in_offset);
      const struct matrix3 p = product(&a, &b, 1);
      vec sum[N_COMPONENTS];
      components(&p, sum);
      for (size_t k = 0; k < N_COMPONENTS; k++) {
        if (op->adds_first)
          sum[k] = vec_load(x + op->in_offset[k]) + sum[k] / 2;
        vec_store(y + op->out_offset[k], sum[k]);
      }
    }
}

/* Writes, or adds to, the gradient of a or b. */
static inline void store(const struct tensor_square *op, const struct matrix3 *g, const real *first,
                         real *gx, bool accumulate) {
  vec sum[N_COMPONENTS];
  components(g, sum);
  for (size_t k = 0; k < N_COMPONENTS; k++) {
    real *at = gx + op->in_offset[k];
    if (first)
      sum[k] += vec_load(first + op->out_offset[k]);
    if (accumulate)
      sum[k] += vec_load(at);
    vec_store(at, sum[k]);
  }
}

void KERNEL(matrix_product_adjoint)(const struct tensor_square *op, size_t n_rows, const void *in,
                                    const void *grad_out, void *grad_in, bool accumulate) {
  for (size_t r = 0; r < n_rows; r++)
    for (size_t c = 0; c < op->channels; c += VECTOR_LANES) {
      const real *x = (const real *)in + r * op->in_dim + c;
      const real *gy = (const real *)grad_out + r * op->out_dim + c;
      real *gx = (real *)grad_in + r * op->in_dim + c;
      const struct matrix3 g = load(gy, op->out_offset), a = load(x, op->in_offset);
      const struct matrix3 of_b = product(&g, &a, -1);
      if (op->adds_first) {
        store(op, &of_b, gy, gx, accumulate);
        continue;
      }
      const struct matrix3 b = load(x + op->twin, op->in_offset), of_a = product(&g, &b, -1);
      store(op, &of_a, NULL, gx, accumulate);
      store(op, &of_b, NULL, gx + op->twin, accumulate);
    }
}
