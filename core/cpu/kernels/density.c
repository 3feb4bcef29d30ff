/* The density of an atom's neighbours (MACE's density-normalised blocks): rho[i] = sum over edges
 * j -> i of f[e], f being the first column of filters [n_edges][n_columns], and features
 * [n_rows][dim] divided by a number of their row. Adjoints: grad r[e] += f'[e] grad rho[i]; grad in
 * = grad out / divisor, grad divisor = - in . grad out / divisor^2. */
#include "core/cpu/kernels/density.h"

void KERNEL(density)(size_t n_edges, size_t n_columns, const uint32_t *receivers, size_t first_row,
                     const void *filters, double *sums) {
  const real *f = filters;
  for (size_t e = 0; e < n_edges; e++)
    sums[receivers[e] - first_row] += (double)f[e * n_columns];
}

void KERNEL(density_adjoint)(size_t n_edges, size_t n_columns, const uint32_t *receivers,
                             size_t first_row, const void *derivatives, const double *grad_sums,
                             double *grad_distance) {
  const real *df = derivatives;
  for (size_t e = 0; e < n_edges; e++)
    grad_distance[e] += grad_sums[receivers[e] - first_row] * (double)df[e * n_columns];
}

void KERNEL(divide)(size_t n_rows, size_t dim, const double *divisors, const void *in, void *out) {
  for (size_t r = 0; r < n_rows; r++) {
    const real factor = (real)(1.0 / divisors[r]);
    const real *x = (const real *)in + r * dim;
    real *y = (real *)out + r * dim;
    for (size_t i = 0; i < dim; i++)
      y[i] = factor * x[i];
  }
}

void KERNEL(divide_adjoint)(size_t n_rows, size_t dim, const double *divisors, const void *in,
                            const void *grad_out, void *grad_in, bool accumulate,
                            double *grad_divisors) {
  for (size_t r = 0; r < n_rows; r++) {
    const double inverse = 1.0 / divisors[r];
    const real factor = (real)inverse;
    const real *x = (const real *)in + r * dim, *gy = (const real *)grad_out + r * dim;
    real *gx = (real *)grad_in + r * dim;
    vec sum = {0};
    for (size_t i = 0; i < dim; i += VECTOR_LANES) {
      const vec g = vec_load(gy + i);
      sum += g * vec_load(x + i);
      vec_store(gx + i, accumulate ? vec_load(gx + i) + factor * g : factor * g);
    }
    grad_divisors[r] = -inverse * inverse * vec_sum(sum);
  }
}
