/* The filters of a tile's edges. Edges are taken EDGE_TILE at a time: their filters are made, used
 * and forgotten. */
#ifndef CORE_CPU_EDGE_FILTERS_H
#define CORE_CPU_EDGE_FILTERS_H

#include "core/cpu/run.h"

/* Up to EDGE_TILE edges; the arrays lie in the workspace and the thread's scratch. */
struct edge_filters {
  size_t n;
  const unsigned char *harmonics;       /* [n][HARMONICS(l_max)] */
  unsigned char *filters, *derivatives; /* [n][n_columns]; derivatives by distance, or NULL */
};

enum edge_direction { EDGES_AS_GIVEN, EDGES_REVERSED };

/* The next edges from `first` on, before `end`, with the filters that an operation has for them or
 * for their reverses. */
struct edge_filters edge_filters_next(const struct run *run, const struct op *op, size_t first,
                                      size_t end, enum edge_direction direction, bool derivatives);

/* What an operation reads of its table for the edges from `first` on, or for their reverses. */
struct filter_reads edge_filters_reads(const struct run *run, const struct op *op, size_t first,
                                       enum edge_direction direction);

/* Returns where a tile of edges from `first` on ends that a convolution takes at once: it is made
 * of whole receivers, or else of the next edges of one that has more. So what happens to a
 * receiver's edges does not depend on what else is there. receivers: sorted, those before `end` are
 * read. */
size_t message_tile_end(const struct run *run, const struct op *op, const uint32_t *receivers,
                        size_t first, size_t end);

/* Returns the filters of the n edges of such a tile, or of their reverses; derivatives, where they
 * are wanted. */
struct message_filters message_filters_of(const struct run *run, const struct op *op, size_t first,
                                          size_t n, enum edge_direction direction,
                                          bool derivatives);

/* Writes the filters of n edges, at most EDGE_TILE, and their derivatives or NULL. */
void edge_filters_write(const struct run *run, const struct op *op, size_t first, size_t n,
                        enum edge_direction direction, void *filters, void *derivatives);

#endif
