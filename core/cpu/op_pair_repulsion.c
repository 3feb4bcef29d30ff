/* Ziegler, Biersack and Littmark's repulsion of the nuclei at short distance
 * (core/nn/pair_repulsion.h), half of each pair to its receiver. */
#include "core/cpu/op_table.h"
#include "core/cpu/run.h"
#include "core/graph/vector3.h"

/* One edge's energy and its slope by distance. */
static void edge(const struct run *run, const struct op *op, size_t e, double *energy,
                 double *slope) {
  const struct batch *batch = &run->workspace->batch;
  pair_repulsion(&op->pair_repulsion, batch->species[batch->receivers[e]],
                 batch->species[batch->senders[e]], vector3_length(batch->vectors + 3 * e), energy,
                 slope);
}

static void forward(const struct run *run, const struct op *op) {
  const struct batch *batch = &run->workspace->batch;
  for (size_t e = run->first_edge; e < run->first_edge + run->n_edges; e++) {
    double energy, slope;
    edge(run, op, e, &energy, &slope);
    run->workspace->energies[batch->receivers[e]] += energy;
  }
}

static void adjoint(const struct run *run, const struct op *op) {
  for (size_t e = run->first_edge; e < run->first_edge + run->n_edges; e++) {
    double energy, slope;
    edge(run, op, e, &energy, &slope);
    run->workspace->grad_distance[e] += slope;
  }
}

const struct cpu_op cpu_pair_repulsion = {.forward = forward, .adjoint = adjoint};
