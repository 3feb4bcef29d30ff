/* A batch of structures as one graph: atoms and edges of all, one after the other. */
#ifndef CORE_GRAPH_BATCH_H
#define CORE_GRAPH_BATCH_H

#include "core/base/arena.h"
#include "core/graph/graph.h"
#include "core/graph/neighbours.h"
#include "irrep/model.h"

#include <stddef.h>
#include <stdint.h>

/* Where a structure lies in its batch; empty when it was refused. */
struct batch_span {
  size_t first_atom, n_atoms;
  size_t n_local; /* the first of them, which are not ghosts */
  size_t first_edge, n_edges;
  size_t first_pair, n_pairs; /* of neighbours.h */
};

/* The lists of a batch, where they are its own: in the arena that batch_take was given. */
struct batch_lists {
  uint32_t *first_edge, *senders;
  double *vectors;
};

/* Edges as irrep/graph.h describes them. */
struct batch {
  size_t n_structures, n_atoms, n_edges;
  size_t n_local;             /* atoms before the ghosts, which only a single graph has */
  struct batch_span *spans;   /* [n_structures] */
  uint32_t *species;          /* [n_atoms] */
  uint32_t *heads;            /* [n_atoms]; NULL: the model has one head at most */
  uint32_t *receivers;        /* [n_edges] */
  const uint32_t *first_edge; /* [n_local + 1] */
  const uint32_t *senders;    /* [n_edges] */
  const double *vectors;      /* [n_edges][3] Angstrom, sender to receiver */
  const uint32_t *first_out;  /* of graph.h; NULL: the reverse of each edge is there */
  const uint32_t *out_edges;
  struct batch_lists own; /* the lists; NULL where they are those of a single graph */
};

/* The species of each atomic number, -1 where the model knows none. */
struct species_map {
  int16_t of[119];
};

/* structure_check, and that the model knows every element. UNKNOWN_ELEMENT names the atom. */
enum irrep_status batch_check(const struct species_map *map,
                              const struct irrep_structure *structure, struct irrep_error *error);

/* The last of these for any atoms. */
enum irrep_status batch_check_elements(const struct species_map *map, const int32_t *numbers,
                                       size_t n_atoms, struct irrep_error *error);

/* Takes the spans of a batch, then its other arrays for the sums of its structures; check
 * arena->failed. */
void batch_take_spans(struct batch *batch, struct arena *arena, size_t n_structures);
void batch_take(struct batch *batch, struct arena *arena, const struct irrep_plan *size);

/* From graphs: */

/* Writes the spans of graphs, which have been taken. A graph with an element that the model does
 * not know gets UNKNOWN_ELEMENT in results, one that finds no room below 2^32 TOO_LARGE, and an
 * empty span; it counts for nothing.
 *   results  [n_graphs]; status and n_edges are written
 * Returns the sums. */
struct irrep_plan batch_measure_graphs(const struct species_map *map,
                                       const struct irrep_graph *const *graphs, size_t n_graphs,
                                       struct batch_span *spans, struct irrep_result *results);

/* Takes what batch_take_alone takes, for the sums of a single graph. */
void batch_take_indices(struct batch *batch, struct arena *arena, const struct irrep_plan *size);

/* Instead of batch_take, for a single graph whose lists are read where they are; a view is never
 * joined with others. */
void batch_take_alone(struct batch *batch, struct arena *arena, const struct irrep_graph *graph);

/* Fills what has been taken from the graphs that have a span. */
void batch_join(struct batch *batch, const struct species_map *map,
                const struct irrep_graph *const *graphs, const struct irrep_result *results);

/* From structures, whose edges are found on the way: */

/* Bytes of scratch for batch_measure and batch_fill of a batch of that size; SIZE_MAX on overflow.
 */
size_t batch_scratch_bytes(const struct irrep_plan *size);

/* Checks the structures and finds their edges, once the spans have been taken from the arena.
 * One that is refused (as batch_check and neighbours_find refuse it, or with NO_MEMORY for lack of
 * scratch) gets its status in results and an empty span, and counts for nothing.
 *   scratch  [scratch_bytes] aligned to IRREP_ALIGNMENT
 *   spans    [n_structures]
 *   results  [n_structures]; status and n_edges are written
 *   pairs    those of all structures, at the start of scratch
 * Returns the sums. */
struct irrep_plan batch_measure(const struct species_map *map, double r_max,
                                const struct irrep_structure *structures, size_t n_structures,
                                void *scratch, size_t scratch_bytes, struct batch_span *spans,
                                struct irrep_result *results, struct neighbour_pairs *pairs);

/* Fills what batch_take has taken from the structures that have a span.
 *   pairs    as batch_measure found them; they may have moved
 *   scratch  [batch_scratch_bytes]; the pairs may lie in it: they are moved to its start */
void batch_fill(struct batch *batch, const struct species_map *map,
                const struct irrep_structure *structures, const struct neighbour_pairs *pairs,
                void *scratch, const struct irrep_result *results);

#endif
