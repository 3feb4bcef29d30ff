#include "core/cpu/run.h"
#include "core/program/ops.h"

static void forward(const struct run *run, const struct op *op) {
  run->kernels->tensor_product(&op->tensor_product, run->n_edges,
                               run->workspace->batch.receivers + run->first_edge, run->first_row,
                               run->weights, run_features(run, op->in), run_features(run, op->sums),
                               run_features(run, op->out), run->scratch->pairs);
}

static void adjoint(const struct run *run, const struct op *op) {
  const bool collects = run->collects == COLLECTS_ALL || run->collects == op->sums;
  run->kernels->tensor_product_adjoint(
      &op->tensor_product, run->n_edges, run->workspace->batch.receivers + run->first_edge,
      run->first_row, run->weights, run_features(run, op->in), run_features(run, op->sums),
      run_gradient(run, op->out), run_gradient(run, op->in), op->grad_accumulate,
      collects ? run_gradient(run, op->sums) : NULL, run->scratch->pairs);
}

const struct op_type op_tensor_product = {.name = "tensor product",
                                          .has_in = true,
                                          .has_out = true,
                                          .keeps_in = true,
                                          .has_sums = true,
                                          .forward = forward,
                                          .adjoint = adjoint};
