/* The tangent of the lengths of an irrep's channels (kernels/vector_norm.c), y = sqrt(epsilon + sum
 * of x[m]^2), and of their adjoint, grad x[m] = x[m] / y grad y. */
#include "core/cpu/tangent_ops.h"

#include <math.h>

struct length {
  double y, dy;
};

static struct length length_of(const struct vector_norm *op, const double *x, const double *dx) {
  double square = op->epsilon, slope = 0.0;
  for (size_t m = 0; m < op->n_m; m++) {
    square += x[m * op->in_stride] * x[m * op->in_stride];
    slope += x[m * op->in_stride] * dx[m * op->in_stride];
  }
  const double y = sqrt(square);
  return (struct length){y, slope / y};
}

static void forward(const struct tangent_run *run, const struct op *op) {
  const struct vector_norm *v = &op->vector_norm;
  const double *x = run_features(&run->base, op->in), *dx = run_features(&run->tangent, op->in);
  double *dy = run_features(&run->tangent, op->out);
  for (size_t r = 0; r < run->base.n_rows; r++)
    for (size_t c = 0; c < v->channels; c++) {
      const size_t at = r * v->in_dim + v->in_offset + c;
      dy[r * v->out_dim + c] = length_of(v, x + at, dx + at).dy;
    }
}

static void adjoint(const struct tangent_run *run, const struct op *op) {
  const struct vector_norm *v = &op->vector_norm;
  const double *x = run_features(&run->base, op->in), *dx = run_features(&run->tangent, op->in);
  const double *gy = run_gradient(&run->base, op->out), *dgy = run_gradient(&run->tangent, op->out);
  double *dgx = run_gradient(&run->tangent, op->in);
  tangent_clear(run, op);
  for (size_t r = 0; r < run->base.n_rows; r++)
    for (size_t c = 0; c < v->channels; c++) {
      const size_t at = r * v->in_dim + v->in_offset + c;
      const struct length length = length_of(v, x + at, dx + at);
      const double factor = gy[r * v->out_dim + c] / length.y;
      const double slope = (dgy[r * v->out_dim + c] - factor * length.dy) / length.y;
      for (size_t m = 0; m < v->n_m; m++) {
        const size_t i = at + m * v->in_stride;
        dgx[i] += factor * dx[i] + slope * x[i];
      }
    }
}

const struct tangent_op tangent_vector_norm = {.forward = forward, .adjoint = adjoint};
