/* The tangent of normalisation (kernels/norm.c), y[i] = g[i] x[i] s with s = (epsilon + sum of h[j]
 * x[j]^2)^(-1/2), and of its adjoint, s g[i] gy[i] - s^3 h[i] x[i] sum of g[j] x[j] gy[j]. */
#include "core/cpu/tangent_ops.h"

#include <math.h>

struct sums {
  double s, ds;
};

static struct sums sums_of(const struct norm *op, const double *shares, const double *x,
                           const double *dx) {
  double square = op->epsilon, slope = 0.0;
  for (size_t i = 0; i < op->dim; i++) {
    square += shares[i] * x[i] * x[i];
    slope += shares[i] * x[i] * dx[i];
  }
  const double s = 1.0 / sqrt(square);
  return (struct sums){s, -s * s * s * slope};
}

static void forward(const struct tangent_run *run, const struct op *op) {
  const struct norm *n = &op->norm;
  const double *gains = run_weights(&run->base, n->gains);
  const double *shares = run_weights(&run->base, n->shares);
  for (size_t r = 0; r < run->base.n_rows; r++) {
    const double *x = (double *)run_features(&run->base, op->in) + r * n->dim;
    const double *dx = (double *)run_features(&run->tangent, op->in) + r * n->dim;
    double *dy = (double *)run_features(&run->tangent, op->out) + r * n->dim;
    const struct sums k = sums_of(n, shares, x, dx);
    for (size_t i = 0; i < n->dim; i++)
      dy[i] = gains[i] * (dx[i] * k.s + x[i] * k.ds);
  }
}

static void adjoint(const struct tangent_run *run, const struct op *op) {
  const struct norm *n = &op->norm;
  const double *gains = run_weights(&run->base, n->gains);
  const double *shares = run_weights(&run->base, n->shares);
  tangent_clear(run, op);
  for (size_t r = 0; r < run->base.n_rows; r++) {
    const double *x = (double *)run_features(&run->base, op->in) + r * n->dim;
    const double *dx = (double *)run_features(&run->tangent, op->in) + r * n->dim;
    const double *gy = (double *)run_gradient(&run->base, op->out) + r * n->dim;
    const double *dgy = (double *)run_gradient(&run->tangent, op->out) + r * n->dim;
    double *dgx = (double *)run_gradient(&run->tangent, op->in) + r * n->dim;
    const struct sums k = sums_of(n, shares, x, dx);
    double along = 0.0, d_along = 0.0;
    for (size_t i = 0; i < n->dim; i++) {
      along += gains[i] * x[i] * gy[i];
      d_along += gains[i] * (dx[i] * gy[i] + x[i] * dgy[i]);
    }
    const double cube = k.s * k.s * k.s;
    for (size_t i = 0; i < n->dim; i++)
      dgx[i] += gains[i] * (k.ds * gy[i] + k.s * dgy[i]) -
                shares[i] * (3.0 * k.s * k.s * k.ds * x[i] * along +
                             cube * (dx[i] * along + x[i] * d_along));
  }
}

const struct tangent_op tangent_norm = {.forward = forward, .adjoint = adjoint};
