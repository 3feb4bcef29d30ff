/* The channels of rows over one and the square of their norm: y[m][c] = q x[m][c] with q = 1 / (1 +
 * sum over m of x[m][c]^2), in [n_rows][n_components][channels], out likewise. Adjoint: grad x[m]
 * (+)= q grad y[m] - 2 q^2 x[m] sum over k of x[k] grad y[k]. */
#include "core/cpu/kernels/matrix_norm.h"

static inline vec inverse_of(const struct matrix_norm *op, const real *x) {
  vec sum = {0};
  for (size_t m = 0; m < op->n_components; m++) {
    const vec v = vec_load(x + m * op->channels);
    sum += v * v;
  }
  return 1 / (1 + sum);
}

void KERNEL(matrix_norm)(const struct matrix_norm *op, size_t n_rows, const void *in, void *out) {
  const size_t dim = op->n_components * op->channels;
  for (size_t r = 0; r < n_rows; r++)
    for (size_t c = 0; c < op->channels; c += VECTOR_LANES) {
      const real *x = (const real *)in + r * dim + c;
      real *y = (real *)out + r * dim + c;
      const vec q = inverse_of(op, x);
      for (size_t m = 0; m < op->n_components; m++)
        vec_store(y + m * op->channels, q * vec_load(x + m * op->channels));
    }
}

void KERNEL(matrix_norm_adjoint)(const struct matrix_norm *op, size_t n_rows, const void *in,
                                 const void *grad_out, void *grad_in, bool accumulate) {
  const size_t dim = op->n_components * op->channels;
  for (size_t r = 0; r < n_rows; r++)
    for (size_t c = 0; c < op->channels; c += VECTOR_LANES) {
      const real *x = (const real *)in + r * dim + c, *gy = (const real *)grad_out + r * dim + c;
      real *gx = (real *)grad_in + r * dim + c;
      const vec q = inverse_of(op, x);
      vec along = {0};
      for (size_t m = 0; m < op->n_components; m++)
        along += vec_load(x + m * op->channels) * vec_load(gy + m * op->channels);
      along *= 2 * q * q;
      for (size_t m = 0; m < op->n_components; m++) {
        const size_t at = m * op->channels;
        vec g = q * vec_load(gy + at) - along * vec_load(x + at);
        if (accumulate)
          g += vec_load(gx + at);
        vec_store(gx + at, g);
      }
    }
}
