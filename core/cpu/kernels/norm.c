/* Rows over the root of a sum of their squares: y[i] = g[i] x[i] s with s = (epsilon + sum over j
 * of h[j] x[j]^2)^(-1/2), in [n_rows][dim], out [n_rows][dim], gains g and shares h [dim]. Adjoint:
 * grad x[i] (+)= s g[i] grad y[i] - s^3 h[i] x[i] sum over j of g[j] x[j] grad y[j]. */
#include "core/cpu/kernels/norm.h"

#include <math.h>

/* The inverse root of a row's sum. The root is taken in double: a row may be so small that
 * its squares are subnormal in float, and epsilon has to tell. */
static double inverse_of(const struct norm *op, const real *shares, const real *x) {
  vec sum = {0};
  for (size_t i = 0; i < op->dim; i += VECTOR_LANES) {
    const vec v = vec_load(x + i);
    sum += vec_load(shares + i) * v * v;
  }
  return 1.0 / sqrt(op->epsilon + (double)vec_sum(sum));
}

void KERNEL(norm)(const struct norm *op, size_t n_rows, const void *weights, const void *in,
                  void *out) {
  const real *gains = (const real *)weights + op->gains;
  const real *shares = (const real *)weights + op->shares;
  for (size_t r = 0; r < n_rows; r++) {
    const real *x = (const real *)in + r * op->dim;
    real *y = (real *)out + r * op->dim;
    const real s = (real)inverse_of(op, shares, x);
    for (size_t i = 0; i < op->dim; i += VECTOR_LANES)
      vec_store(y + i, s * vec_load(gains + i) * vec_load(x + i));
  }
}

void KERNEL(norm_adjoint)(const struct norm *op, size_t n_rows, const void *weights, const void *in,
                          const void *grad_out, void *grad_in, bool accumulate) {
  const real *gains = (const real *)weights + op->gains;
  const real *shares = (const real *)weights + op->shares;
  for (size_t r = 0; r < n_rows; r++) {
    const real *x = (const real *)in + r * op->dim, *gy = (const real *)grad_out + r * op->dim;
    real *gx = (real *)grad_in + r * op->dim;
    const double inverse = inverse_of(op, shares, x);
    vec along = {0};
    for (size_t i = 0; i < op->dim; i += VECTOR_LANES)
      along += vec_load(gains + i) * vec_load(x + i) * vec_load(gy + i);
    const real s = (real)inverse;
    const real t = (real)(inverse * inverse * inverse * (double)vec_sum(along));
    for (size_t i = 0; i < op->dim; i += VECTOR_LANES) {
      vec g = accumulate ? vec_load(gx + i) : (vec){0};
      g += s * vec_load(gains + i) * vec_load(gy + i);
      g -= t * vec_load(shares + i) * vec_load(x + i);
      vec_store(gx + i, g);
    }
  }
}
