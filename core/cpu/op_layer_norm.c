/* Layer normalisation of the tile's rows: kernels/layer_norm.c. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->layer_norm(&op->layer_norm, run_rows(run, op->in), run->weights,
                           run_features(run, op->in), run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->layer_norm_adjoint(&op->layer_norm, run_rows(run, op->in), run->weights,
                                   run_features(run, op->in), run_gradient(run, op->out),
                                   run_gradient(run, op->in), op->grad_accumulate);
}

const struct cpu_op cpu_layer_norm = {.forward = forward, .adjoint = adjoint};
