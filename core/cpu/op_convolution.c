/* Messages from the neighbours: kernels/convolution.c edge tile by edge tile, with the filters that
 * edge_filters.h makes or reads. in [n_atoms][dim] of all atoms, out the tile's rows. The adjoint
 * waits until all tiles' gradients of out are there, for it gathers them from the neighbours. */
#include "core/cpu/edge_filters.h"
#include "core/cpu/op_table.h"
#include "core/cpu/outgoing.h"
#include "core/cpu/run.h"
#include "core/e3/spherical_harmonics.h"

#include <string.h>

/* Whether filters are read and used in one go: they never lie in memory then. */
static bool in_one_go(const struct run *run, const struct op *op) {
  return run->tables && op->message.convolution.scalar && !run->program->directed;
}

static void scalars_forward(const struct run *run, const struct op *op, const void *x, void *out) {
  const struct batch *batch = &run->workspace->batch;
  const size_t first = run->first_edge;
  const struct filter_reads filters = edge_filters_reads(run, op, first, EDGES_AS_GIVEN);
  run->kernels->scalar_convolution(&filters, run->n_edges, op->message.convolution.out_dim,
                                   batch->senders + first, batch->receivers + first, run->first_row,
                                   x, out);
}

static void scalars_adjoint(const struct run *run, const struct op *op, const void *x,
                            const void *grad_out, void *grad_x) {
  const struct batch *batch = &run->workspace->batch;
  const size_t first = run->first_edge;
  const struct filter_reads filters = edge_filters_reads(run, op, first, EDGES_AS_GIVEN);
  run->kernels->scalar_convolution_adjoint(&filters, run->n_edges, op->message.convolution.x_dim,
                                           batch->senders + first, batch->receivers + first,
                                           run->first_row, x, grad_out, grad_x,
                                           run->workspace->grad_distance + first);
}

static const void *harmonics_at(const struct run *run, size_t edge) {
  return (unsigned char *)run->workspace->harmonics +
         edge * HARMONICS(run->program->l_max) * run->kernels->real_size;
}

static void forward(const struct run *run, const struct op *op) {
  const struct batch *batch = &run->workspace->batch;
  const struct convolution *convolution = &op->message.convolution;
  const size_t end = run->first_edge + run->n_edges;
  const void *x = run_all_features(run, op->in);
  void *out = run_features(run, op->out);
  memset(out, 0, run->n_rows * convolution->out_dim * run->kernels->real_size);
  if (in_one_go(run, op)) {
    scalars_forward(run, op, x, out);
    return;
  }
  for (size_t e = run->first_edge, next; e < end; e = next) {
    next = message_tile_end(run, op, batch->receivers, e, end);
    const struct message_filters filters =
        message_filters_of(run, op, e, next - e, EDGES_AS_GIVEN, false);
    run->kernels->convolution(convolution, next - e, run->weights, batch->senders + e,
                              batch->receivers + e, run->first_row, harmonics_at(run, e), &filters,
                              x, out, run->scratch->pairs);
  }
}

/* Zeroes the rows of a tile's gradient that nothing has been added to: those of ghosts, and all
 * where this adjoint is the first to reach them. */
static void clear_gradient(const struct run *run, const struct op *op, void *grad_x) {
  const size_t row = op->message.convolution.x_dim * run->kernels->real_size;
  const size_t n_local = run->workspace->batch.n_local;
  const size_t kept = !op->grad_accumulate        ? 0
                      : n_local <= run->first_row ? 0
                                                  : n_local - run->first_row;
  if (kept < run->n_rows)
    memset((unsigned char *)grad_x + kept * row, 0, (run->n_rows - kept) * row);
}

static void adjoint(const struct run *run, const struct op *op) {
  struct workspace *w = run->workspace;
  const struct batch *batch = &w->batch;
  const struct convolution *convolution = &op->message.convolution;
  const size_t harmonics = HARMONICS(run->program->l_max);
  const size_t end = run->first_edge + run->n_edges;
  const void *x = run_all_features(run, op->in), *grad_out = run_all_gradients(run, op->out);
  void *grad_x = op->grad_unused ? NULL : run_gradient(run, op->in);
  if (grad_x)
    clear_gradient(run, op, grad_x);
  if (batch->first_out) {
    outgoing_adjoint(run, op, x, grad_out, grad_x);
    return;
  }
  if (in_one_go(run, op)) {
    scalars_adjoint(run, op, x, grad_out, grad_x);
    return;
  }
  for (size_t e = run->first_edge, next; e < end; e = next) {
    next = message_tile_end(run, op, batch->receivers, e, end);
    const struct message_filters filters =
        message_filters_of(run, op, e, next - e, EDGES_REVERSED, true);
    run->kernels->convolution_adjoint(
        convolution, next - e, run->weights, batch->senders + e, batch->receivers + e,
        run->first_row, harmonics_at(run, e), &filters, x, grad_out, grad_x,
        w->grad_harmonics + e * harmonics, w->grad_distance + e, run->scratch->pairs);
  }
}

const struct cpu_op cpu_convolution = {.forward = forward, .adjoint = adjoint};
