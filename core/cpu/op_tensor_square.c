/* The tensor square on the tile's rows: kernels/tensor_square.c. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->tensor_square(&op->tensor_square, run->n_rows, run->weights,
                              run_features(run, op->in), run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->tensor_square_adjoint(&op->tensor_square, run->n_rows, run->weights,
                                      run_features(run, op->in), run_gradient(run, op->out),
                                      run_gradient(run, op->in), op->grad_accumulate);
}

const struct cpu_op cpu_tensor_square = {.forward = forward, .adjoint = adjoint};
