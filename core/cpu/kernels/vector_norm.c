/* The length of the vector that each channel is (Schuett, Unke and Gastegger 2021, eq. 9): y[c] =
 * sqrt(epsilon + sum over m of x[m][c]^2), with rows [n_rows][in_dim] of which the components m
 * begin at in_offset + m in_stride, and out [n_rows][out_dim]. Adjoint: grad x[m][c] (+)= x[m][c] /
 * y[c] grad y[c], and nothing for the rest of the row. */
#include "core/cpu/kernels/vector_norm.h"

#include <math.h>
#include <string.h>

/* The lengths of VECTOR_LANES channels from x on. */
static vec lengths(const struct vector_norm *op, const real *x) {
  real length[VECTOR_LANES] __attribute__((aligned(VECTOR_BYTES)));
  vec sum = (real)op->epsilon - (vec){0};
  for (size_t m = 0; m < op->n_m; m++) {
    const vec v = vec_load(x + m * op->in_stride);
    sum += v * v;
  }
  vec_store(length, sum);
  for (size_t i = 0; i < VECTOR_LANES; i++)
#if IRREP_REAL_BITS == 32
    length[i] = sqrtf(length[i]);
#else
    length[i] = sqrt(length[i]);
#endif
  return vec_load(length);
}

void KERNEL(vector_norm)(const struct vector_norm *op, size_t n_rows, const void *in, void *out) {
  for (size_t r = 0; r < n_rows; r++) {
    const real *x = (const real *)in + r * op->in_dim + op->in_offset;
    real *y = (real *)out + r * op->out_dim;
    for (size_t c = 0; c < op->channels; c += VECTOR_LANES)
      vec_store(y + c, lengths(op, x + c));
  }
}

void KERNEL(vector_norm_adjoint)(const struct vector_norm *op, size_t n_rows, const void *in,
                                 const void *grad_out, void *grad_in, bool accumulate) {
  if (!accumulate)
    memset(grad_in, 0, n_rows * op->in_dim * sizeof(real));
  for (size_t r = 0; r < n_rows; r++) {
    const real *x = (const real *)in + r * op->in_dim + op->in_offset;
    const real *gy = (const real *)grad_out + r * op->out_dim;
    real *gx = (real *)grad_in + r * op->in_dim + op->in_offset;
    for (size_t c = 0; c < op->channels; c += VECTOR_LANES) {
      const vec factor = vec_load(gy + c) / lengths(op, x + c);
      for (size_t m = 0; m < op->n_m; m++) {
        real *g = gx + m * op->in_stride + c;
        vec_store(g, vec_load(g) + factor * vec_load(x + m * op->in_stride + c));
      }
    }
  }
}
