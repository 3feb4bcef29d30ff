/* The tangent of the tensor square (kernels/tensor_square.c), out[m3] = sum of C a[m1] b[m2],
 * plus a[m3] where the operation says so, and of its adjoint; a and b are parts of a row. */
#include "core/cpu/tangent_ops.h"

static void forward_channel(const struct tensor_square *op, const double *c, const double *x,
                            const double *dx, double *dy) {
  for (size_t k = 0; k < op->n_outputs; k++)
    dy[op->out_offset[k]] = op->adds_first ? dx[op->in_offset[k]] : 0.0;
  for (size_t p = 0; p < op->couplings.n_rows; p++) {
    const size_t a = op->in_offset[op->pairs[p].a], b = op->in_offset[op->pairs[p].b] + op->twin;
    const double slope = dx[a] * x[b] + x[a] * dx[b];
    for (size_t i = op->couplings.first[p]; i < op->couplings.first[p + 1]; i++)
      dy[op->out_offset[op->couplings.column[i]]] += c[i] * slope;
  }
}

static void adjoint_channel(const struct tensor_square *op, const double *c, const double *x,
                            const double *dx, const double *gy, const double *dgy, double *dgx) {
  for (size_t k = 0; k < op->n_outputs && op->adds_first; k++)
    dgx[op->in_offset[k]] += dgy[op->out_offset[k]];
  for (size_t p = 0; p < op->couplings.n_rows; p++) {
    const size_t a = op->in_offset[op->pairs[p].a], b = op->in_offset[op->pairs[p].b] + op->twin;
    double grad = 0.0, slope = 0.0;
    for (size_t i = op->couplings.first[p]; i < op->couplings.first[p + 1]; i++) {
      grad += c[i] * gy[op->out_offset[op->couplings.column[i]]];
      slope += c[i] * dgy[op->out_offset[op->couplings.column[i]]];
    }
    dgx[a] += slope * x[b] + grad * dx[b];
    dgx[b] += slope * x[a] + grad * dx[a];
  }
}

static void forward(const struct tangent_run *run, const struct op *op) {
  const struct tensor_square *t = &op->tensor_square;
  const double *c = run_weights(&run->base, t->couplings.values);
  const double *x = run_features(&run->base, op->in), *dx = run_features(&run->tangent, op->in);
  double *dy = run_features(&run->tangent, op->out);
  for (size_t r = 0; r < run->base.n_rows; r++)
    for (size_t k = 0; k < t->channels; k++)
      forward_channel(t, c, x + r * t->in_dim + k, dx + r * t->in_dim + k, dy + r * t->out_dim + k);
}

static void adjoint(const struct tangent_run *run, const struct op *op) {
  const struct tensor_square *t = &op->tensor_square;
  const double *c = run_weights(&run->base, t->couplings.values);
  const double *x = run_features(&run->base, op->in), *dx = run_features(&run->tangent, op->in);
  const double *gy = run_gradient(&run->base, op->out), *dgy = run_gradient(&run->tangent, op->out);
  double *dgx = run_gradient(&run->tangent, op->in);
  tangent_clear(run, op);
  for (size_t r = 0; r < run->base.n_rows; r++)
    for (size_t k = 0; k < t->channels; k++)
      adjoint_channel(t, c, x + r * t->in_dim + k, dx + r * t->in_dim + k, gy + r * t->out_dim + k,
                      dgy + r * t->out_dim + k, dgx + r * t->in_dim + k);
}

const struct tangent_op tangent_tensor_square = {.forward = forward, .adjoint = adjoint};
