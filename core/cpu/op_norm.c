/* Normalisation of the tile's rows: kernels/norm.c. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->norm(&op->norm, run_rows(run, op->in), run->weights, run_features(run, op->in),
                     run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->norm_adjoint(&op->norm, run_rows(run, op->in), run->weights,
                             run_features(run, op->in), run_gradient(run, op->out),
                             run_gradient(run, op->in), op->grad_accumulate);
}

const struct cpu_op cpu_norm = {.forward = forward, .adjoint = adjoint};
