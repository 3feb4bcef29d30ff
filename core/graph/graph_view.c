/* Graphs over lists that the caller has found: irrep_graph_view. */
#include "core/base/arena.h"
#include "core/base/sized.h"
#include "core/graph/graph.h"
#include "core/graph/vector3.h"
#include "irrep/conventions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum irrep_status check_sizes(const struct irrep_graph_arrays *a,
                                     struct irrep_error *error) {
  if (!(a->cutoff > 0 && a->cutoff <= IRREP_LENGTH_MAX))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "cutoff",
                      "a cutoff of %g Angstrom is not accepted", a->cutoff);
  if (a->n_atoms > INT32_MAX || a->n_edges > UINT32_MAX)
    return irrep_fail(error, IRREP_TOO_LARGE, "",
                      "%zu atoms and %zu edges are more than 2^31 - 1 "
                      "and 2^32 - 1",
                      a->n_atoms, a->n_edges);
  if (a->n_local > a->n_atoms)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "n_local", "%zu local atoms of %zu atoms",
                      a->n_local, a->n_atoms);
  if (a->n_total > 0 && a->n_total < a->n_local)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "n_total", "%zu local atoms of %zu in total",
                      a->n_local, a->n_total);
  if (!a->first_edge || (a->n_atoms > 0 && !a->numbers) ||
      (a->n_edges > 0 && (!a->senders || !a->vectors)))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "", "an array is missing");
  return IRREP_OK;
}

static enum irrep_status check_indices(const struct irrep_graph_arrays *a,
                                       struct irrep_error *error) {
  char field[32];
  for (size_t i = 0; i <= a->n_local; i++) {
    const uint32_t least = i > 0 ? a->first_edge[i - 1] : 0;
    if (a->first_edge[i] >= least && a->first_edge[i] <= a->n_edges &&
        (i > 0 || a->first_edge[i] == 0) && (i < a->n_local || a->first_edge[i] == a->n_edges))
      continue;
    snprintf(field, sizeof field, "first_edge/%zu", i);
    return irrep_fail(error, IRREP_BAD_ARGUMENT, field,
                      "first_edge has to grow from 0 to %zu; here it is %zu", a->n_edges,
                      (size_t)a->first_edge[i]);
  }
  for (size_t e = 0; e < a->n_edges; e++)
    if (a->senders[e] >= a->n_atoms) {
      snprintf(field, sizeof field, "senders/%zu", e);
      return irrep_fail(error, IRREP_BAD_ARGUMENT, field, "sender %zu of %zu atoms",
                        (size_t)a->senders[e], a->n_atoms);
    }
  return IRREP_OK;
}

enum irrep_status graph_check_vectors(const struct irrep_graph *graph, struct irrep_error *error) {
  const struct irrep_graph_arrays *a = &graph->arrays;
  const double least = IRREP_DISTANCE_MIN * IRREP_DISTANCE_MIN;
  const double most = 3 * IRREP_LENGTH_MAX * IRREP_LENGTH_MAX;
  for (size_t e = 0; graph->is_view && e < a->n_edges; e++) {
    const double *v = a->vectors + 3 * e, d2 = vector3_dot(v, v);
    char field[32];
    if (d2 >= least && d2 <= most)
      continue;
    snprintf(field, sizeof field, "vectors/%zu", e);
    return d2 < least ? irrep_fail(error, IRREP_ATOMS_OVERLAP, field,
                                   "edge %zu, from atom %zu, is %.3g Angstrom long; at least %g is "
                                   "accepted",
                                   e, (size_t)a->senders[e], sqrt(d2), IRREP_DISTANCE_MIN)
                      : irrep_fail(error, IRREP_NOT_FINITE, field,
                                   "edge %zu, from atom %zu, is the vector (%g, %g, %g)", e,
                                   (size_t)a->senders[e], v[0], v[1], v[2]);
  }
  return IRREP_OK;
}

/* The edges of each sender, in their order. first [n_atoms + 1], edges [n_edges]. */
static void sort_by_sender(const struct irrep_graph_arrays *a, uint32_t *first, uint32_t *edges) {
  memset(first, 0, (a->n_atoms + 1) * sizeof *first);
  for (size_t e = 0; e < a->n_edges; e++)
    first[a->senders[e] + 1]++;
  for (size_t i = 0; i < a->n_atoms; i++)
    first[i + 1] += first[i];
  for (size_t e = 0; e < a->n_edges; e++)
    edges[first[a->senders[e]]++] = (uint32_t)e;
  memmove(first + 1, first, a->n_atoms * sizeof *first);
  first[0] = 0;
}

static void take_lists(struct arena *arena, const struct irrep_graph_arrays *a, uint32_t **first,
                       uint32_t **edges) {
  *first = arena_take(arena, a->n_atoms + 1, sizeof **first);
  *edges = arena_take(arena, a->n_edges, sizeof **edges);
}

enum irrep_status irrep_graph_view(const struct irrep_graph_arrays *theirs,
                                   struct irrep_graph **graph, struct irrep_error *error) {
  struct irrep_graph_arrays ours;
  const struct irrep_graph_arrays *arrays = &ours;
  uint32_t *first, *edges;
  *graph = NULL;
  if (!sized_read(SIZED_ARRAYS, theirs, &ours))
    return sized_fail(error, "irrep_graph_arrays", "IRREP_GRAPH_ARRAYS_INIT");
  enum irrep_status status = check_sizes(arrays, error);
  if (status == IRREP_OK)
    status = check_indices(arrays, error);
  if (status != IRREP_OK)
    return status;
  struct arena arena = arena_counting();
  take_lists(&arena, arrays, &first, &edges);
  struct irrep_graph *view = calloc(1, sizeof *view);
  void *memory = view ? aligned_alloc(IRREP_ALIGNMENT, arena.used) : NULL;
  if (!memory) {
    free(view);
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for a view of %zu edges",
                      arrays->n_edges);
  }
  *view = (struct irrep_graph){
      .arrays = *arrays, .is_view = true, .bytes = sizeof *view + arena.used, .memory = memory};
  arena = arena_over(memory, arena.used);
  take_lists(&arena, arrays, &first, &edges);
  sort_by_sender(arrays, first, edges);
  view->first_out = first;
  view->out_edges = edges;
  *graph = view;
  return IRREP_OK;
}
