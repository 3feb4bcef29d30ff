/* Tensor squares (Schuett et al. 2023, J. Chem. Phys. 158, 144801): for each channel
 *
 *   out[m3] = sum over m1, m2 of C[m1][m2][m3] a[m1] b[m2], and with adds_first plus a[m3],
 *
 * with a and b parts of a row of in [n_rows][in_dim], which may be the same; out [n_rows][out_dim].
 * Adjoint: grad a[m1] = C b grad out, with adds_first plus grad out[m1]; grad b[m2] = C a grad out;
 * their sum where b is a. */
#include "core/cpu/kernels/tensor_square.h"

#include "core/cpu/kernels/matrix_product.h"
#include "core/e3/spherical_harmonics.h"

#define COMPONENTS_MAX HARMONICS(IRREP_L_MAX)

/* Components of one vector of channels. */
struct pair_of_features {
  vec a[COMPONENTS_MAX], b[COMPONENTS_MAX];
};

static inline void load(const struct tensor_square *op, const real *row,
                        struct pair_of_features *x) {
  for (size_t i = 0; i < op->n_components; i++) {
    x->a[i] = vec_load(row + op->in_offset[i]);
    x->b[i] = vec_load(row + op->in_offset[i] + op->twin);
  }
}

void KERNEL(tensor_square)(const struct tensor_square *op, size_t n_rows, const void *weights,
                           const void *in, void *out) {
  if (op->matrices) {
    KERNEL(matrix_product)(op, n_rows, in, out);
    return;
  }
  const real *c = (const real *)weights + op->couplings.values;
  const uint32_t *first = op->couplings.first, *column = op->couplings.column;
  for (size_t r = 0; r < n_rows; r++)
    for (size_t channel = 0; channel < op->channels; channel += VECTOR_LANES) {
      struct pair_of_features x;
      vec y[COMPONENTS_MAX];
      load(op, (const real *)in + r * op->in_dim + channel, &x);
      for (size_t k = 0; k < op->n_outputs; k++)
        y[k] = op->adds_first ? x.a[k] : (vec){0};
      for (size_t p = 0; p < op->couplings.n_rows; p++) {
        const vec product = x.a[op->pairs[p].a] * x.b[op->pairs[p].b];
        for (size_t i = first[p]; i < first[p + 1]; i++)
          y[column[i]] += c[i] * product;
      }
      for (size_t k = 0; k < op->n_outputs; k++)
        vec_store((real *)out + r * op->out_dim + op->out_offset[k] + channel, y[k]);
    }
}

static inline void store(const struct tensor_square *op, const struct pair_of_features *g,
                         real *row, bool accumulate) {
  for (size_t i = 0; i < op->n_components; i++) {
    real *a = row + op->in_offset[i], *b = a + op->twin;
    vec sum_a = g->a[i], sum_b = g->b[i];
    if (op->twin == 0)
      sum_a += sum_b;
    if (accumulate)
      sum_a += vec_load(a);
    vec_store(a, sum_a);
    if (op->twin == 0)
      continue;
    if (accumulate)
      sum_b += vec_load(b);
    vec_store(b, sum_b);
  }
}

void KERNEL(tensor_square_adjoint)(const struct tensor_square *op, size_t n_rows,
                                   const void *weights, const void *in, const void *grad_out,
                                   void *grad_in, bool accumulate) {
  if (op->matrices) {
    KERNEL(matrix_product_adjoint)(op, n_rows, in, grad_out, grad_in, accumulate);
    return;
  }
  const real *c = (const real *)weights + op->couplings.values;
  const uint32_t *first = op->couplings.first, *column = op->couplings.column;
  for (size_t r = 0; r < n_rows; r++)
    for (size_t channel = 0; channel < op->channels; channel += VECTOR_LANES) {
      struct pair_of_features x, g;
      vec gy[COMPONENTS_MAX];
      load(op, (const real *)in + r * op->in_dim + channel, &x);
      for (size_t i = 0; i < op->n_components; i++)
        g.a[i] = g.b[i] = (vec){0};
      for (size_t k = 0; k < op->n_outputs; k++) {
        gy[k] = vec_load((const real *)grad_out + r * op->out_dim + op->out_offset[k] + channel);
        if (op->adds_first)
          g.a[k] = gy[k];
      }
      for (size_t p = 0; p < op->couplings.n_rows; p++) {
        const size_t a = op->pairs[p].a, b = op->pairs[p].b;
        vec product = {0};
        for (size_t i = first[p]; i < first[p + 1]; i++)
          product += c[i] * gy[column[i]];
        g.a[a] += product * x.b[b];
        g.b[b] += product * x.a[a];
      }
      store(op, &g, (real *)grad_in + r * op->in_dim + channel, accumulate);
    }
}
