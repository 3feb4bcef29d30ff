/* Normalisation of the channels of the tile's rows: kernels/matrix_norm.c. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->matrix_norm(&op->matrix_norm, run_rows(run, op->in), run_features(run, op->in),
                            run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->matrix_norm_adjoint(&op->matrix_norm, run_rows(run, op->in),
                                    run_features(run, op->in), run_gradient(run, op->out),
                                    run_gradient(run, op->in), op->grad_accumulate);
}

const struct cpu_op cpu_matrix_norm = {.forward = forward, .adjoint = adjoint};
