#include "core/program/edge_filters.h"

#include "core/e3/spherical_harmonics.h"

struct edge_filters edge_filters_next(const struct run *run, const struct op *op, size_t first,
                                      size_t end, enum edge_direction direction, bool derivatives) {
  const struct workspace *w = run->workspace;
  const size_t real = run->kernels->real_size;
  const size_t columns = op->message.convolution.n_columns;
  struct edge_filters edges = {.n = end - first < EDGE_TILE ? end - first : EDGE_TILE};
  edges.harmonics = (unsigned char *)w->harmonics + first * HARMONICS(run->program->l_max) * real;
  edges.filters = run->scratch->filters;
  if (derivatives)
    edges.derivatives = edges.filters + EDGE_TILE * columns * real;
  const struct filter_tables *tables = run->tables;
  const bool reversed = direction == EDGES_REVERSED;
  const unsigned char *embedding = reversed ? w->reverse_embedding : w->embedding;
  const uint32_t *table_rows = reversed ? w->reverse_table_rows : w->table_rows;
  if (tables) {
    const size_t offset = tables->offsets[op - run->program->ops];
    run->kernels->filter_table(edges.n, columns, tables->n_terms,
                               (unsigned char *)tables->data + offset * real, table_rows + first,
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
