/* The product basis on the tile's rows: kernels/product.c. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->product(&op->product, run->n_rows, run_species(run), run->weights,
                        run_features(run, op->in), run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->product_adjoint(&op->product, run->n_rows, run_species(run), run->weights,
                                run_features(run, op->in), run_gradient(run, op->out),
                                run_gradient(run, op->in), op->grad_accumulate);
}

const struct cpu_op cpu_product = {.forward = forward, .adjoint = adjoint};
