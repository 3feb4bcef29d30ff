/* Edges are taken EDGE_TILE at a time: their filters are made, used and forgotten. */
#include "core/e3/spherical_harmonics.h"
#include "core/program/ops.h"
#include "core/program/run.h"

#include <string.h>

/* The next edges of the tile, with their harmonics and filters. */
struct edges {
  size_t n;
  const unsigned char *harmonics;
  unsigned char *filters, *derivatives;
};

static struct edges next_edges(const struct run *run, const struct op *op, size_t first, size_t end,
                               bool derivatives) {
  const struct workspace *w = run->workspace;
  const size_t real = run->kernels->real_size;
  const size_t columns = op->message.convolution.n_columns;
  struct edges edges = {.n = end - first < EDGE_TILE ? end - first : EDGE_TILE};
  edges.harmonics = (unsigned char *)w->harmonics + first * HARMONICS(run->program->l_max) * real;
  edges.filters = run->scratch->filters;
  if (derivatives)
    edges.derivatives = edges.filters + EDGE_TILE * columns * real;
  const struct filter_tables *tables = run->tables;
  const unsigned char *embedding = w->embedding;
  if (tables) {
    const size_t offset = tables->offsets[op - run->program->ops];
    run->kernels->filter_table(edges.n, columns, tables->n_terms,
                               (unsigned char *)tables->data + offset * real, w->table_rows + first,
                               embedding + first * filter_tables_width(tables) * real,
                               edges.filters, edges.derivatives);
  } else {
    const size_t width = 2 * RADIAL_WIDTH(&run->program->radial);
    run->kernels->filter(&op->message.filter, edges.n, run->weights,
                         embedding + first * width * real, edges.filters, edges.derivatives,
                         run->scratch->filter_layers);
  }
  return edges;
}

static void forward(const struct run *run, const struct op *op) {
  const struct batch *batch = &run->workspace->batch;
  const struct convolution *convolution = &op->message.convolution;
  const size_t end = batch->first_edge[run->first_row + run->n_rows];
  const void *x = run_all_features(run, op->in);
  void *out = run_features(run, op->out);
  memset(out, 0, run->n_rows * convolution->out_dim * run->kernels->real_size);
  for (size_t e = batch->first_edge[run->first_row]; e < end; e += EDGE_TILE) {
    const struct edges edges = next_edges(run, op, e, end, false);
    run->kernels->convolution(convolution, edges.n, run->weights, batch->senders + e,
                              batch->receivers + e, run->first_row, edges.harmonics, edges.filters,
                              x, out, run->scratch->pairs);
  }
}

static void adjoint(const struct run *run, const struct op *op) {
  struct workspace *w = run->workspace;
  const struct batch *batch = &w->batch;
  const struct convolution *convolution = &op->message.convolution;
  const size_t harmonics = HARMONICS(run->program->l_max);
  const size_t end = batch->first_edge[run->first_row + run->n_rows];
  const void *x = run_all_features(run, op->in), *grad_out = run_all_gradients(run, op->out);
  void *grad_x = run_gradient(run, op->in);
  if (!op->grad_accumulate)
    memset(grad_x, 0, run->n_rows * convolution->x_dim * run->kernels->real_size);
  for (size_t e = batch->first_edge[run->first_row]; e < end; e += EDGE_TILE) {
    const struct edges edges = next_edges(run, op, e, end, true);
    run->kernels->convolution_adjoint(
        convolution, edges.n, run->weights, batch->senders + e, batch->receivers + e,
        run->first_row, edges.harmonics, edges.filters, edges.derivatives, x, grad_out, grad_x,
        w->grad_harmonics + e * harmonics, w->grad_distance + e, run->scratch->pairs);
  }
}

const struct op_type op_convolution = {.name = "convolution",
                                       .has_in = true,
                                       .has_out = true,
                                       .keeps_in = true,
                                       .reads_neighbours = true,
                                       .forward = forward,
                                       .adjoint = adjoint};
