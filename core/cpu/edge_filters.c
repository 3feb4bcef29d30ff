#include "core/cpu/edge_filters.h"

#include "core/e3/spherical_harmonics.h"

/* Pairs of species by receiver and sender. */
static void pairs_of(const struct run *run, size_t first, size_t n, bool reversed,
                     uint32_t *pairs) {
  const struct batch *batch = &run->workspace->batch;
  const uint32_t *to = reversed ? batch->senders : batch->receivers;
  const uint32_t *from = reversed ? batch->receivers : batch->senders;
  for (size_t e = 0; e < n; e++)
    pairs[e] = batch->species[to[first + e]] * (uint32_t)run->program->n_species +
               batch->species[from[first + e]];
}

struct filter_reads edge_filters_reads(const struct run *run, const struct op *op, size_t first,
                                       enum edge_direction direction) {
  const struct workspace *w = run->workspace;
  const struct filter_tables *tables = run->tables;
  const size_t real = run->kernels->real_size, width = filter_tables_width(tables);
  const bool reversed = direction == EDGES_REVERSED;
  const unsigned char *weights = reversed ? w->reverse_embedding : w->embedding;
  return (struct filter_reads){
      .table = (unsigned char *)tables->data + tables->offsets[op - run->program->ops] * real,
      .first_rows = (reversed ? w->reverse_table_rows : w->table_rows) + first,
      .n_rows = tables->n_terms,
      .weights = weights + first * width * real};
}

static void compute(const struct run *run, const struct op *op, size_t first, size_t n,
                    bool reversed, void *filters, void *derivatives) {
  const struct workspace *w = run->workspace;
  const unsigned char *embedding = reversed ? w->reverse_embedding : w->embedding;
  const size_t width = 2 * RADIAL_WIDTH(&run->program->radial);
  uint32_t pairs[EDGE_TILE];
  pairs_of(run, first, n, reversed, pairs);
  run->kernels->filter(&op->message.filter, n, run->weights, pairs,
                       embedding + first * width * run->kernels->real_size, filters, derivatives,
                       run->scratch->filter_layers);
}

void edge_filters_write(const struct run *run, const struct op *op, size_t first, size_t n,
                        enum edge_direction direction, void *filters, void *derivatives) {
  if (!run->tables) {
    compute(run, op, first, n, direction == EDGES_REVERSED, filters, derivatives);
    return;
  }
  const struct filter_reads reads = edge_filters_reads(run, op, first, direction);
  run->kernels->filter_table(n, op->message.convolution.n_columns, reads.n_rows, reads.table,
                             reads.first_rows, reads.weights, filters, derivatives);
}

struct edge_filters edge_filters_next(const struct run *run, const struct op *op, size_t first,
                                      size_t end, enum edge_direction direction, bool derivatives) {
  const size_t real = run->kernels->real_size;
  struct edge_filters edges = {.n = end - first < EDGE_TILE ? end - first : EDGE_TILE};
  edges.harmonics =
      (unsigned char *)run->workspace->harmonics + first * HARMONICS(run->program->l_max) * real;
  edges.filters = run->scratch->filters;
  if (derivatives)
    edges.derivatives = edges.filters + EDGE_TILE * op->message.convolution.n_columns * real;
  edge_filters_write(run, op, first, edges.n, direction, edges.filters, edges.derivatives);
  return edges;
}

/* Whether a convolution reads its table path by path. Where paths share columns it had better read
 * them once. */
static bool reads_by_path(const struct run *run, const struct op *op) {
  return run->tables && !op->message.convolution.summed;
}

size_t message_tile_end(const struct run *run, const struct op *op, const uint32_t *receivers,
                        size_t first, size_t end) {
  const size_t most = reads_by_path(run, op) ? MESSAGE_TILE : EDGE_TILE;
  if (end - first <= most)
    return end;
  size_t cut = first + most;
  while (cut > first && receivers[cut - 1] == receivers[first + most])
    cut--;
  return cut > first ? cut : first + most;
}

struct message_filters message_filters_of(const struct run *run, const struct op *op, size_t first,
                                          size_t n, enum edge_direction direction,
                                          bool derivatives) {
  if (reads_by_path(run, op))
    return (struct message_filters){.reads = edge_filters_reads(run, op, first, direction),
                                    .strip = run->scratch->filters};
  unsigned char *values = run->scratch->filters;
  unsigned char *slopes =
      values + EDGE_TILE * op->message.convolution.n_columns * run->kernels->real_size;
  edge_filters_write(run, op, first, n, direction, values, derivatives ? slopes : NULL);
  return (struct message_filters){.values = values, .derivatives = slopes};
}
