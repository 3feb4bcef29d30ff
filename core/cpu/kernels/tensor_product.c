/* Tensor products of edges with the sums of their receiver (Musaelian et al. 2023, eq. 5 and 8):
 *
 *   out[e][o][c] = sum over i of A[i, o][c] in[e][i][c]
 *   A[i, o][c] = sum over j of W[i, o, j][c] S[j][c]
 *
 * in [n_edges][in_dim], sums S [n_rows][sums_dim], out [n_edges][out_dim]. A is made once for each
 * receiver. Adjoint: grad in = A grad out, grad A = in grad out summed over the edges, grad S = W
 * grad A. */
#include "core/cpu/kernels/tensor_product.h"

#include "irrep/conventions.h"

#include <string.h>

/* Channels go through in blocks of one panel of IRREP_LANES, edges in groups, so that what a group
 * adds up stays in registers. */
#define PANEL (IRREP_LANES / VECTOR_LANES)
#define GROUP (PANEL >= 4 ? 1 : PANEL >= 2 ? 4 : 8)

/* A[pair] of one receiver. */
static void mediate(const struct tensor_product *op, const real *w, const real *sums, real *a) {
  for (size_t p = 0; p < op->n_pairs; p++) {
    vec sum[PANEL] = {0};
    for (size_t t = op->first[p]; t < op->first[p + 1]; t++)
      for (size_t v = 0; v < PANEL; v++)
        sum[v] += vec_load(w + t * IRREP_LANES + v * VECTOR_LANES) *
                  vec_load(sums + op->component[t] * op->channels + v * VECTOR_LANES);
    for (size_t v = 0; v < PANEL; v++)
      vec_store(a + p * IRREP_LANES + v * VECTOR_LANES, sum[v]);
  }
}

static void mediate_adjoint(const struct tensor_product *op, const real *w, const real *grad_a,
                            real *grad_sums) {
  for (size_t p = 0; p < op->n_pairs; p++)
    for (size_t t = op->first[p]; t < op->first[p + 1]; t++)
      for (size_t i = 0; i < IRREP_LANES; i += VECTOR_LANES) {
        real *g = grad_sums + op->component[t] * op->channels + i;
        vec_store(g, vec_load(g) + vec_load(w + t * IRREP_LANES + i) *
                                       vec_load(grad_a + p * IRREP_LANES + i));
      }
}

/* One panel of n edges; n is a constant at every call. Components that no pair leads to are zero
 * beforehand. */
static inline __attribute__((always_inline)) void group_forward(const struct tensor_product *op,
                                                                const size_t n, const real *a,
                                                                const real *x, real *y) {
  for (size_t p = 0; p < op->n_pairs;) {
    const uint32_t out = op->pairs[p].out;
    vec sum[GROUP][PANEL] = {0};
    for (; p < op->n_pairs && op->pairs[p].out == out; p++) {
      const real *in = x + op->pairs[p].in * op->channels;
#pragma GCC unroll 4
      for (size_t v = 0; v < PANEL; v++) {
        const vec a_v = vec_load(a + p * IRREP_LANES + v * VECTOR_LANES);
#pragma GCC unroll 8
        for (size_t e = 0; e < n; e++)
          sum[e][v] += a_v * vec_load(in + e * op->in_dim + v * VECTOR_LANES);
      }
    }
#pragma GCC unroll 8
    for (size_t e = 0; e < n; e++)
#pragma GCC unroll 4
      for (size_t v = 0; v < PANEL; v++)
        vec_store(y + e * op->out_dim + out * op->channels + v * VECTOR_LANES, sum[e][v]);
  }
}

/* The edges of one receiver are the next so many. */
static size_t same_receiver(size_t n_edges, const uint32_t *receivers) {
  size_t n = 1;
  while (n < n_edges && receivers[n] == receivers[0])
    n++;
  return n;
}

void KERNEL(tensor_product)(const struct tensor_product *op, size_t n_edges,
                            const uint32_t *receivers, size_t first_row, const void *weights,
                            const void *in, const void *sums, void *out, void *scratch) {
  const real *w = (const real *)weights + op->weights;
  const size_t n_terms = op->first[op->n_pairs];
  memset(out, 0, n_edges * op->out_dim * sizeof(real));
  for (size_t c = 0; c < op->channels; c += IRREP_LANES)
    for (size_t e = 0; e < n_edges;) {
      const size_t end = e + same_receiver(n_edges - e, receivers + e);
      mediate(op, w + c * n_terms,
              (const real *)sums + (receivers[e] - first_row) * op->sums_dim + c, scratch);
      const real *x = (const real *)in + c;
      real *y = (real *)out + c;
      for (; e + GROUP <= end; e += GROUP)
        group_forward(op, GROUP, scratch, x + e * op->in_dim, y + e * op->out_dim);
      for (; e < end; e++)
        group_forward(op, 1, scratch, x + e * op->in_dim, y + e * op->out_dim);
    }
}

/* One panel of one receiver's edges, pair by pair: gradients by the edges' features and, unless
 * grad_a is NULL, by A. */
static void receiver_adjoint(const struct tensor_product *op, size_t n_edges, const real *a,
                             const real *x, const real *gy, real *gx, real *grad_a) {
  for (size_t p = 0; p < op->n_pairs; p++) {
    const size_t i = op->pairs[p].in * op->channels, o = op->pairs[p].out * op->channels;
    for (size_t v = 0; v < IRREP_LANES; v += VECTOR_LANES) {
      const vec a_v = vec_load(a + p * IRREP_LANES + v);
      vec sum = {0};
      for (size_t e = 0; e < n_edges; e++) {
        const vec g = vec_load(gy + e * op->out_dim + o + v);
        real *to = gx + e * op->in_dim + i + v;
        sum += vec_load(x + e * op->in_dim + i + v) * g;
        vec_store(to, vec_load(to) + a_v * g);
      }
      if (grad_a)
        vec_store(grad_a + p * IRREP_LANES + v, sum);
    }
  }
}

void KERNEL(tensor_product_adjoint)(const struct tensor_product *op, size_t n_edges,
                                    const uint32_t *receivers, size_t first_row,
                                    const void *weights, const void *in, const void *sums,
                                    const void *grad_out, void *grad_in, bool accumulate,
                                    void *grad_sums, void *scratch) {
  const real *w = (const real *)weights + op->weights;
  const size_t n_terms = op->first[op->n_pairs];
  real *a = scratch, *grad_a = grad_sums ? a + op->n_pairs * IRREP_LANES : NULL;
  if (!accumulate)
    memset(grad_in, 0, n_edges * op->in_dim * sizeof(real));
  for (size_t c = 0; c < op->channels; c += IRREP_LANES)
    for (size_t e = 0, n; e < n_edges; e += n) {
      n = same_receiver(n_edges - e, receivers + e);
      const size_t row = (receivers[e] - first_row) * op->sums_dim + c;
      mediate(op, w + c * n_terms, (const real *)sums + row, a);
      receiver_adjoint(op, n, a, (const real *)in + e * op->in_dim + c,
                       (const real *)grad_out + e * op->out_dim + c,
                       (real *)grad_in + e * op->in_dim + c, grad_a);
      if (grad_a)
        mediate_adjoint(op, w + c * n_terms, grad_a, (real *)grad_sums + row);
    }
}
