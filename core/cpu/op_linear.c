/* Irreps-wise linear maps on the tile's rows, of atoms or of edges: kernels/linear.c. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

/* With the biases of the tile's head. */
static struct linear linear_of(const struct run *run, const struct op *op) {
  struct linear linear = op->linear;
  linear.bias += run->head * linear.bias_head_stride;
  return linear;
}

static void forward(const struct run *run, const struct op *op) {
  const struct linear linear = linear_of(run, op);
  run->kernels->linear(&linear, run_rows(run, op->in), run_species(run), run->weights,
                       run_features(run, op->in), run_features(run, op->out), op->accumulate);
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->linear_adjoint(&op->linear, run_rows(run, op->in), run_species(run), run->weights,
                               run_gradient(run, op->out), run_gradient(run, op->in),
                               op->grad_accumulate);
}

const struct cpu_op cpu_linear = {.forward = forward, .adjoint = adjoint};
