#include "core/cpu/outgoing.h"

#include "core/cpu/edge_filters.h"
#include "core/cpu/geometry.h"
#include "core/e3/spherical_harmonics.h"

#include <string.h>

/* Edges of a tile, copied together. The adjoint's kernel is given the reverse of each edge and
 * treats the edge itself. */
struct tile {
  size_t n;
  const uint32_t *edges; /* [n] in the list */
  uint32_t senders[EDGE_TILE], receivers[EDGE_TILE], table_rows[EDGE_TILE];
  struct workspace workspace; /* in which they are edges 0 to n - 1 */
};

static inline void fetch(const void *row, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64)
    __builtin_prefetch((const unsigned char *)row + i);
}

/* Brings what the next tile will copy near: the edges that leave an atom lie all over the arrays.
 */
static void fetch_tile(const struct run *run, const uint32_t *edges, size_t n) {
  const struct workspace *w = run->workspace;
  const struct executable executable = {.program = run->program, .tables = run->tables};
  const size_t real = run->kernels->real_size;
  const size_t row = embedding_width(&executable) * real;
  const size_t harmonics = HARMONICS(run->program->l_max) * real;
  for (size_t i = 0; i < n; i++) {
    const size_t e = edges[i];
    fetch((const unsigned char *)w->embedding + e * row, row);
    fetch((const unsigned char *)w->harmonics + e * harmonics, harmonics);
    fetch(w->batch.senders + e, 1);
    fetch(w->batch.receivers + e, 1);
    fetch(w->batch.vectors + 3 * e, 1);
    fetch(w->table_rows + e, 1);
    fetch(w->gradient + 3 * e, 1);
    fetch(w->grad_distance + e, 1);
  }
}

static void copy_tile(const struct run *run, struct tile *tile, const uint32_t *edges, size_t n) {
  const struct workspace *w = run->workspace;
  const struct executable executable = {.program = run->program, .tables = run->tables};
  const size_t row = embedding_width(&executable) * run->kernels->real_size;
  tile->n = n;
  tile->edges = edges;
  for (size_t i = 0; i < n; i++) {
    tile->senders[i] = w->batch.senders[edges[i]];
    tile->receivers[i] = w->batch.receivers[edges[i]];
    tile->table_rows[i] = w->table_rows[edges[i]];
    memcpy((unsigned char *)run->scratch->out_embedding + i * row,
           (const unsigned char *)w->embedding + edges[i] * row, row);
  }
  run->kernels->reversed_harmonics(n, run->program->l_max, edges, w->harmonics,
                                   run->scratch->out_harmonics);
  memset(run->scratch->out_grad_harmonics, 0, n * HARMONICS(run->program->l_max) * sizeof(double));
  memset(run->scratch->out_grad_distance, 0, n * sizeof(double));
}

/* Gradients by the harmonics of reverses become those by the edges' own, in place, and these the
 * gradients by the edges' vectors: a number for each harmonic of each edge would take more memory
 * than all else of an edge. */
static void add_gradients(const struct run *run, const struct tile *tile) {
  const size_t n_harmonics = HARMONICS(run->program->l_max);
  const struct scratch *scratch = run->scratch;
  struct workspace *w = run->workspace;
  for (size_t i = 0; i < tile->n; i++) {
    double *row = scratch->out_grad_harmonics + i * n_harmonics;
    for (int l = 1; l <= run->program->l_max; l += 2)
      for (int h = l * l; h < (l + 1) * (l + 1); h++)
        row[h] = -row[h];
    memcpy(scratch->out_vectors + 3 * i, w->batch.vectors + 3 * (size_t)tile->edges[i],
           3 * sizeof(double));
  }
  memset(scratch->out_gradient, 0, tile->n * 3 * sizeof(double));
  geometry_harmonics_adjoint(run->program, tile->n, scratch->out_vectors,
                             scratch->out_grad_harmonics, scratch->out_grad_distance,
                             scratch->out_gradient);
  for (size_t i = 0; i < tile->n; i++) {
    const size_t e = tile->edges[i];
    for (size_t k = 0; k < 3; k++)
      w->gradient[3 * e + k] += scratch->out_gradient[3 * i + k];
    w->grad_distance[e] += scratch->out_grad_distance[i];
  }
}

/* Where a tile of the list of outgoing edges ends: as in message_tile_end, with senders. */
static size_t whole_senders(const struct batch *batch, size_t first, size_t end) {
  if (end - first <= EDGE_TILE)
    return end;
  const uint32_t last = batch->senders[batch->out_edges[first + EDGE_TILE]];
  size_t cut = first + EDGE_TILE;
  while (cut > first && batch->senders[batch->out_edges[cut - 1]] == last)
    cut--;
  return cut > first ? cut : first + EDGE_TILE;
}

void outgoing_adjoint(const struct run *run, const struct op *op, const void *x,
                      const void *grad_out, void *grad_x) {
  const struct batch *batch = &run->workspace->batch;
  const size_t end = batch->first_out[run->first_row + run->n_rows];
  struct tile tile = {.workspace = *run->workspace};
  struct run copied = *run;
  tile.workspace.batch.senders = tile.senders;
  tile.workspace.batch.receivers = tile.receivers;
  tile.workspace.table_rows = tile.table_rows;
  tile.workspace.embedding = run->scratch->out_embedding;
  copied.workspace = &tile.workspace;
  for (size_t first = batch->first_out[run->first_row], next; first < end; first = next) {
    next = whole_senders(batch, first, end);
    copy_tile(run, &tile, batch->out_edges + first, next - first);
    fetch_tile(run, batch->out_edges + next, end - next < EDGE_TILE ? end - next : EDGE_TILE);
    const struct message_filters filters =
        message_filters_of(&copied, op, 0, tile.n, EDGES_AS_GIVEN, true);
    run->kernels->convolution_adjoint(
        &op->message.convolution, tile.n, run->weights, tile.receivers, tile.senders,
        run->first_row, run->scratch->out_harmonics, &filters, x, grad_out, grad_x,
        run->scratch->out_grad_harmonics, run->scratch->out_grad_distance, run->scratch->pairs);
    add_gradients(run, &tile);
  }
}
