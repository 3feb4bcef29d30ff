/* Rows of different length hold the same first features: the shorter one's. */
#include "core/cpu/run.h"
#include "core/program/ops.h"

#include <string.h>

static size_t common(const struct run *run, const struct op *op) {
  const size_t in = run->program->values[op->in].dim, out = run->program->values[op->out].dim;
  return in < out ? in : out;
}

static void forward(const struct run *run, const struct op *op) {
  run->kernels->add(run->n_rows, common(run, op), run->program->values[op->in].dim,
                    run_features(run, op->in), run->program->values[op->out].dim,
                    run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  const size_t in = run->program->values[op->in].dim, out = run->program->values[op->out].dim;
  void *grad_in = run_gradient(run, op->in);
  if (!op->grad_accumulate)
    memset(grad_in, 0, run->n_rows * in * run->kernels->real_size);
  run->kernels->add(run->n_rows, common(run, op), out, run_gradient(run, op->out), in, grad_in);
}

const struct op_type op_add = {
    .name = "add", .has_in = true, .has_out = true, .forward = forward, .adjoint = adjoint};
