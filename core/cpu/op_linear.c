/* Irreps-wise linear maps on the tile's rows, of atoms or of edges: kernels/linear.c. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->linear(&op->linear, run_rows(run, op->in), run_species(run), run->weights,
                       run_features(run, op->in), run_features(run, op->out), op->accumulate);
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->linear_adjoint(&op->linear, run_rows(run, op->in), run_species(run), run->weights,
                               run_gradient(run, op->out), run_gradient(run, op->in),
                               op->grad_accumulate);
}

const struct cpu_op cpu_linear = {.forward = forward, .adjoint = adjoint};
