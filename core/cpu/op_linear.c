#include "core/cpu/run.h"
#include "core/program/ops.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->linear(&op->linear, run_rows(run, op->in), run_species(run), run->weights,
                       run_features(run, op->in), run_features(run, op->out), op->accumulate);
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->linear_adjoint(&op->linear, run_rows(run, op->in), run_species(run), run->weights,
                               run_gradient(run, op->out), run_gradient(run, op->in),
                               op->grad_accumulate);
}

const struct op_type op_linear = {
    .name = "linear", .has_in = true, .has_out = true, .forward = forward, .adjoint = adjoint};
