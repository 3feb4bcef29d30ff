/* The filter of each edge as its features, out [n_edges][n_columns] (Musaelian et al. 2023). */
#include "core/cpu/edge_filters.h"
#include "core/cpu/op_table.h"

static void forward(const struct run *run, const struct op *op) {
  const size_t bytes = op->message.convolution.n_columns * run->kernels->real_size;
  unsigned char *out = run_features(run, op->out);
  for (size_t e = 0; e < run->n_edges; e += EDGE_TILE) {
    const size_t n = run->n_edges - e < EDGE_TILE ? run->n_edges - e : EDGE_TILE;
    edge_filters_write(run, op, run->first_edge + e, n, EDGES_AS_GIVEN, out + e * bytes, NULL);
  }
}

static void adjoint(const struct run *run, const struct op *op) {
  const size_t columns = op->message.convolution.n_columns;
  const unsigned char *grad_out = run_gradient(run, op->out);
  const size_t end = run->first_edge + run->n_edges;
  for (size_t e = run->first_edge; e < end; e += EDGE_TILE) {
    const struct edge_filters edges = edge_filters_next(run, op, e, end, EDGES_AS_GIVEN, true);
    run->kernels->filter_adjoint(edges.n, columns, edges.derivatives,
                                 grad_out +
                                     (e - run->first_edge) * columns * run->kernels->real_size,
                                 run->workspace->grad_distance + e);
  }
}

const struct cpu_op cpu_two_body = {.forward = forward, .adjoint = adjoint};
