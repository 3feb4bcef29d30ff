/* Harmonics weighted by scalars of their edge, for each edge or summed to the receiver. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"
#include "core/e3/spherical_harmonics.h"

static const void *harmonics_of(const struct run *run) {
  return (unsigned char *)run->workspace->harmonics +
         run->first_edge * HARMONICS(run->program->l_max) * run->kernels->real_size;
}

static double *grad_harmonics_of(const struct run *run) {
  return run->workspace->grad_harmonics + run->first_edge * HARMONICS(run->program->l_max);
}

static void forward(const struct run *run, const struct op *op) {
  run->kernels->weighted_harmonics(&op->harmonics.weighted, run->n_edges, NULL, NULL,
                                   harmonics_of(run), run_features(run, op->in),
                                   run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  run->kernels->weighted_harmonics_adjoint(&op->harmonics.weighted, run->n_edges, NULL, NULL,
                                           harmonics_of(run), run_features(run, op->in),
                                           run_gradient(run, op->out), run_gradient(run, op->in),
                                           op->grad_accumulate, grad_harmonics_of(run));
}

/* Each edge's row of the sums and the factor of its receiver's species. */
struct targets {
  uint32_t rows[EDGE_ROWS];
  double factors[EDGE_ROWS];
};

static void find_targets(const struct run *run, const struct op *op, struct targets *targets) {
  const struct batch *batch = &run->workspace->batch;
  for (size_t e = 0; e < run->n_edges; e++) {
    const uint32_t receiver = batch->receivers[run->first_edge + e];
    targets->rows[e] = receiver - (uint32_t)run->first_row;
    targets->factors[e] = op->harmonics.scale[batch->species[receiver]];
  }
}

static void sum(const struct run *run, const struct op *op) {
  struct targets targets;
  find_targets(run, op, &targets);
  run->kernels->weighted_harmonics(&op->harmonics.weighted, run->n_edges, targets.rows,
                                   targets.factors, harmonics_of(run), run_features(run, op->in),
                                   run_features(run, op->out));
}

static void sum_adjoint(const struct run *run, const struct op *op) {
  struct targets targets;
  find_targets(run, op, &targets);
  run->kernels->weighted_harmonics_adjoint(
      &op->harmonics.weighted, run->n_edges, targets.rows, targets.factors, harmonics_of(run),
      run_features(run, op->in), run_gradient(run, op->out), run_gradient(run, op->in),
      op->grad_accumulate, grad_harmonics_of(run));
}

const struct cpu_op cpu_harmonics = {.forward = forward, .adjoint = adjoint};

const struct cpu_op cpu_environment = {.forward = sum, .adjoint = sum_adjoint};
