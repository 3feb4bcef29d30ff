/* The energy of an atom from its edges. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"

static void species_of_receivers(const struct run *run, uint32_t *species) {
  const struct batch *batch = &run->workspace->batch;
  for (size_t e = 0; e < run->n_edges; e++)
    species[e] = batch->species[batch->receivers[run->first_edge + e]];
}

static void forward(const struct run *run, const struct op *op) {
  struct workspace *w = run->workspace;
  uint32_t species[EDGE_ROWS];
  double energies[EDGE_ROWS] = {0.0};
  species_of_receivers(run, species);
  run->kernels->readout(run->n_edges, run->program->tensors[op->in].dim, species,
                        run_weights(run, op->readout.weights), op->readout.scale,
                        run_features(run, op->in), energies);
  for (size_t e = 0; e < run->n_edges; e++)
    w->energies[w->batch.receivers[run->first_edge + e]] += energies[e];
}

static void adjoint(const struct run *run, const struct op *op) {
  uint32_t species[EDGE_ROWS];
  species_of_receivers(run, species);
  run->kernels->readout_adjoint(run->n_edges, run->program->tensors[op->in].dim, species,
                                run_weights(run, op->readout.weights), op->readout.scale,
                                run_gradient(run, op->in), op->grad_accumulate);
}

const struct cpu_op cpu_edge_readout = {.forward = forward, .adjoint = adjoint};
