/* Rows of different length hold the same first features: the shorter one's. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

#include <string.h>

static size_t common(const struct run *run, const struct op *op) {
  const size_t in = run->program->tensors[op->in].dim, out = run->program->tensors[op->out].dim;
  return in < out ? in : out;
}

static void forward(const struct run *run, const struct op *op) {
  run->kernels->add(run->n_rows, common(run, op), run->program->tensors[op->in].dim,
                    run_features(run, op->in), run->program->tensors[op->out].dim,
                    run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  const size_t in = run->program->tensors[op->in].dim, out = run->program->tensors[op->out].dim;
  void *grad_in = run_gradient(run, op->in);
  if (!op->grad_accumulate)
    memset(grad_in, 0, run->n_rows * in * run->kernels->real_size);
  run->kernels->add(run->n_rows, common(run, op), out, run_gradient(run, op->out), in, grad_in);
}

const struct cpu_op cpu_add = {.forward = forward, .adjoint = adjoint};
