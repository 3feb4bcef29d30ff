/* Rows less their mean, over their deviation: y[i] = g[i] z[i] + o[i] with z[i] = (x[i] - mean) s
 * and s = (epsilon + variance)^(-1/2), in [n_rows][dim], out [n_rows][dim], gains g, offsets o and
 * shares h [dim], which are 1/n for the n channels that count and zero for padding: mean = sum over
 * i of h[i] x[i]. Adjoint, with u[i] = g[i] grad y[i]: grad x[i] (+)= s (u[i] - h[i] sum over j of
 * u[j]
 * - h[i] z[i] sum over j of z[j] u[j]). */
#include "core/cpu/kernels/layer_norm.h"

#include <math.h>

struct moments {
  real mean, scale; /* s */
};

/* The root is taken in double: epsilon has to tell where a row hardly varies. */
static struct moments moments_of(const struct layer_norm *op, const real *shares, const real *x) {
  vec sum = {0}, squares = {0};
  for (size_t i = 0; i < op->dim; i += VECTOR_LANES)
    sum += vec_load(shares + i) * vec_load(x + i);
  const real mean = vec_sum(sum);
  for (size_t i = 0; i < op->dim; i += VECTOR_LANES) {
    const vec gap = vec_load(x + i) - mean;
    squares += vec_load(shares + i) * gap * gap;
  }
  return (struct moments){mean, (real)(1.0 / sqrt(op->epsilon + (double)vec_sum(squares)))};
}

void KERNEL(layer_norm)(const struct layer_norm *op, size_t n_rows, const void *weights,
                        const void *in, void *out) {
  const real *gains = (const real *)weights + op->gains;
  const real *offsets = (const real *)weights + op->offsets;
  const real *shares = (const real *)weights + op->shares;
  for (size_t r = 0; r < n_rows; r++) {
    const real *x = (const real *)in + r * op->dim;
    real *y = (real *)out + r * op->dim;
    const struct moments moments = moments_of(op, shares, x);
    for (size_t i = 0; i < op->dim; i += VECTOR_LANES) {
      const vec z = (vec_load(x + i) - moments.mean) * moments.scale;
      vec_store(y + i, vec_load(gains + i) * z + vec_load(offsets + i));
    }
  }
}

void KERNEL(layer_norm_adjoint)(const struct layer_norm *op, size_t n_rows, const void *weights,
                                const void *in, const void *grad_out, void *grad_in,
                                bool accumulate) {
  const real *gains = (const real *)weights + op->gains;
  const real *shares = (const real *)weights + op->shares;
  for (size_t r = 0; r < n_rows; r++) {
    const real *x = (const real *)in + r * op->dim, *gy = (const real *)grad_out + r * op->dim;
    real *gx = (real *)grad_in + r * op->dim;
    const struct moments moments = moments_of(op, shares, x);
    vec sums = {0}, alongs = {0};
    for (size_t i = 0; i < op->dim; i += VECTOR_LANES) {
      const vec u = vec_load(gains + i) * vec_load(gy + i);
      sums += u;
      alongs += u * (vec_load(x + i) - moments.mean) * moments.scale;
    }
    const real sum = vec_sum(sums), along = vec_sum(alongs);
    for (size_t i = 0; i < op->dim; i += VECTOR_LANES) {
      const vec u = vec_load(gains + i) * vec_load(gy + i), h = vec_load(shares + i);
      const vec z = (vec_load(x + i) - moments.mean) * moments.scale;
      vec g = moments.scale * (u - h * sum - h * z * along);
      if (accumulate)
        g += vec_load(gx + i);
      vec_store(gx + i, g);
    }
  }
}
