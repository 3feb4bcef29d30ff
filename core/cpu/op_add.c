/* A part of one row, added to a part of another. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

#include <string.h>

static void *from(const struct run *run, void *rows, size_t offset) {
  return (char *)rows + offset * run->kernels->real_size;
}

static void forward(const struct run *run, const struct op *op) {
  const struct tensor *tensors = run->program->tensors;
  run->kernels->add(run->n_rows, op->add.n, tensors[op->in].dim,
                    from(run, run_features(run, op->in), op->add.in_offset), tensors[op->out].dim,
                    from(run, run_features(run, op->out), op->add.out_offset));
}

static void adjoint(const struct run *run, const struct op *op) {
  const size_t in = run->program->tensors[op->in].dim, out = run->program->tensors[op->out].dim;
  void *grad_in = run_gradient(run, op->in);
  if (!op->grad_accumulate)
    memset(grad_in, 0, run->n_rows * in * run->kernels->real_size);
  run->kernels->add(run->n_rows, op->add.n, out,
                    from(run, run_gradient(run, op->out), op->add.out_offset), in,
                    from(run, grad_in, op->add.in_offset));
}

const struct cpu_op cpu_add = {.forward = forward, .adjoint = adjoint};
