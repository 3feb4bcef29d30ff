/* The sum over an atom's neighbours of a function of their distance, and features divided by it. */
#include "core/cpu/edge_filters.h"
#include "core/cpu/op_table.h"

/* The divisors of the tile's rows. */
static void divisors_of(const struct run *run, const struct op *op, double *divisors) {
  const struct batch *batch = &run->workspace->batch;
  const size_t end = batch->first_edge[run->first_row + run->n_rows];
  for (size_t r = 0; r < run->n_rows; r++)
    divisors[r] = 0.0;
  for (size_t e = batch->first_edge[run->first_row]; e < end; e += EDGE_TILE) {
    const struct edge_filters edges = edge_filters_next(run, op, e, end, EDGES_AS_GIVEN, false);
    run->kernels->density(edges.n, op->message.convolution.n_columns, batch->receivers + e,
                          run->first_row, edges.filters, divisors);
  }
  for (size_t r = 0; r < run->n_rows; r++)
    divisors[r] = op->message.offset + op->message.scale * divisors[r];
}

static void forward(const struct run *run, const struct op *op) {
  double divisors[ATOM_TILE];
  divisors_of(run, op, divisors);
  run->kernels->divide(run->n_rows, run->program->tensors[op->out].dim, divisors,
                       run_features(run, op->in), run_features(run, op->out));
}

static void adjoint(const struct run *run, const struct op *op) {
  const struct batch *batch = &run->workspace->batch;
  const size_t end = batch->first_edge[run->first_row + run->n_rows];
  double divisors[ATOM_TILE], gradient[ATOM_TILE];
  divisors_of(run, op, divisors);
  run->kernels->divide_adjoint(run->n_rows, run->program->tensors[op->out].dim, divisors,
                               run_features(run, op->in), run_gradient(run, op->out),
                               run_gradient(run, op->in), op->grad_accumulate, gradient);
  for (size_t r = 0; r < run->n_rows; r++)
    gradient[r] *= op->message.scale;
  for (size_t e = batch->first_edge[run->first_row]; e < end; e += EDGE_TILE) {
    const struct edge_filters edges = edge_filters_next(run, op, e, end, EDGES_AS_GIVEN, true);
    run->kernels->density_adjoint(edges.n, op->message.convolution.n_columns, batch->receivers + e,
                                  run->first_row, edges.derivatives, gradient,
                                  run->workspace->grad_distance + e);
  }
}

const struct cpu_op cpu_density = {.forward = forward, .adjoint = adjoint};
