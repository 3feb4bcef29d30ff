/* Products of edges' features with the sums of their receivers: kernels/tensor_product.c. The
 * gradient of the sums is added to where this pass over the edges collects it (local.c). */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

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

const struct cpu_op cpu_tensor_product = {.forward = forward, .adjoint = adjoint};
