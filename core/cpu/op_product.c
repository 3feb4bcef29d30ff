#include "core/cpu/run.h"
#include "core/program/ops.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->product(&op->product, run->n_rows, run_species(run), run->weights,
                        run_features(run, op->in), run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->product_adjoint(&op->product, run->n_rows, run_species(run), run->weights,
                                run_features(run, op->in), run_gradient(run, op->out),
                                run_gradient(run, op->in), op->grad_accumulate);
}

const struct op_type op_product = {.name = "product",
                                   .has_in = true,
                                   .has_out = true,
                                   .keeps_in = true,
                                   .forward = forward,
                                   .adjoint = adjoint};
