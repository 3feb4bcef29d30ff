#include "core/graph/batch.h"

#include "irrep/conventions.h"

#include <stdio.h>
#include <string.h>

enum irrep_status batch_check_elements(const struct species_map *map, const int32_t *numbers,
                                       size_t n_atoms, struct irrep_error *error) {
  for (size_t i = 0; i < n_atoms; i++) {
    const int32_t number = numbers[i];
    if (number >= 1 && number <= IRREP_NUMBER_MAX && map->of[number] >= 0)
      continue;
    char field[32];
    snprintf(field, sizeof field, "numbers/%zu", i);
    return irrep_fail(error, IRREP_UNKNOWN_ELEMENT, field,
                      "atom %zu has the atomic number %d, which the model was not trained on", i,
                      (int)number);
  }
  return IRREP_OK;
}

enum irrep_status batch_check(const struct species_map *map,
                              const struct irrep_structure *structure, struct irrep_error *error) {
  const enum irrep_status status = structure_check(structure, error);
  return status != IRREP_OK
             ? status
             : batch_check_elements(map, structure->numbers, structure->n_atoms, error);
}

/* Appends a span, empty unless the status is OK and there is room for it, and says so in the
 * result. */
static void append_span(struct irrep_plan *size, struct batch_span *span, size_t n_atoms,
                        size_t n_local, size_t n_edges, struct irrep_result *result) {
  *span = (struct batch_span){.first_atom = size->n_atoms, .first_edge = size->n_edges};
  if (result->status == IRREP_OK &&
      (n_atoms > UINT32_MAX - size->n_atoms || n_edges > UINT32_MAX - size->n_edges))
    result->status = IRREP_TOO_LARGE;
  if (result->status == IRREP_OK) {
    span->n_atoms = n_atoms;
    span->n_local = n_local;
    span->n_edges = n_edges;
  }
  result->n_edges = span->n_edges;
  size->n_atoms += span->n_atoms;
  size->n_ghosts += span->n_atoms - span->n_local;
  size->n_edges += span->n_edges;
}

void batch_take_spans(struct batch *batch, struct arena *arena, size_t n_structures) {
  *batch = (struct batch){.n_structures = n_structures};
  batch->spans = arena_take(arena, n_structures, sizeof *batch->spans);
}

void batch_take(struct batch *batch, struct arena *arena, const struct irrep_plan *size) {
  struct batch_lists *own = &batch->own;
  batch->n_atoms = batch->n_local = size->n_atoms;
  batch->n_edges = size->n_edges;
  batch->first_out = batch->out_edges = NULL;
  batch->species = arena_take(arena, size->n_atoms, sizeof *batch->species);
  own->first_edge = arena_take(arena, size_add(size->n_atoms, 1), sizeof *own->first_edge);
  own->senders = arena_take(arena, size->n_edges, sizeof *own->senders);
  batch->receivers = arena_take(arena, size->n_edges, sizeof *batch->receivers);
  own->vectors = arena_take(arena, size_mul(size->n_edges, 3), sizeof *own->vectors);
  batch->first_edge = own->first_edge;
  batch->senders = own->senders;
  batch->vectors = own->vectors;
}

/* Graphs */

struct irrep_plan batch_measure_graphs(const struct species_map *map,
                                       const struct irrep_graph *const *graphs, size_t n_graphs,
                                       struct batch_span *spans, struct irrep_result *results) {
  struct irrep_plan size = {.n_structures = n_graphs};
  for (size_t s = 0; s < n_graphs; s++) {
    const struct irrep_graph_arrays *a = &graphs[s]->arrays;
    results[s].status = batch_check_elements(map, a->numbers, a->n_atoms, NULL);
    append_span(&size, &spans[s], a->n_atoms, a->n_local, a->n_edges, &results[s]);
    size.n_view_edges += graphs[s]->is_view ? spans[s].n_edges : 0;
  }
  return size;
}

void batch_take_indices(struct batch *batch, struct arena *arena, const struct irrep_plan *size) {
  batch->species = arena_take(arena, size->n_atoms, sizeof *batch->species);
  batch->receivers = arena_take(arena, size->n_edges, sizeof *batch->receivers);
}

void batch_take_alone(struct batch *batch, struct arena *arena, const struct irrep_graph *graph) {
  const struct irrep_graph_arrays *a = &graph->arrays;
  const struct irrep_plan size = {.n_atoms = a->n_atoms, .n_edges = a->n_edges};
  batch->n_atoms = a->n_atoms;
  batch->n_local = a->n_local;
  batch->n_edges = a->n_edges;
  batch->first_out = graph->first_out;
  batch->out_edges = graph->out_edges;
  batch_take_indices(batch, arena, &size);
  batch->own = (struct batch_lists){0};
  batch->first_edge = a->first_edge;
  batch->senders = a->senders;
  batch->vectors = a->vectors;
}

static void append_lists(const struct batch *batch, const struct batch_span *span,
                         const struct irrep_graph_arrays *a) {
  uint32_t *first_edge = batch->own.first_edge + span->first_atom;
  uint32_t *senders = batch->own.senders + span->first_edge;
  for (size_t i = 0; i <= span->n_atoms; i++)
    first_edge[i] = a->first_edge[i] + (uint32_t)span->first_edge;
  for (size_t e = 0; e < span->n_edges; e++)
    senders[e] = a->senders[e] + (uint32_t)span->first_atom;
  if (span->n_edges > 0)
    memcpy(batch->own.vectors + 3 * span->first_edge, a->vectors,
           span->n_edges * 3 * sizeof *a->vectors);
}

void batch_join(struct batch *batch, const struct species_map *map,
                const struct irrep_graph *const *graphs, const struct irrep_result *results) {
  if (batch->own.first_edge)
    batch->own.first_edge[0] = 0;
  for (size_t s = 0; s < batch->n_structures; s++) {
    const struct batch_span *span = &batch->spans[s];
    const struct irrep_graph_arrays *a = &graphs[s]->arrays;
    if (results[s].status != IRREP_OK)
      continue;
    if (batch->own.first_edge)
      append_lists(batch, span, a);
    for (size_t i = 0; i < span->n_atoms; i++)
      batch->species[span->first_atom + i] = (uint32_t)map->of[a->numbers[i]];
    for (size_t i = 0; i < span->n_local; i++)
      for (size_t e = a->first_edge[i]; e < a->first_edge[i + 1]; e++)
        batch->receivers[span->first_edge + e] = (uint32_t)(span->first_atom + i);
  }
}

/* Structures */

size_t batch_scratch_bytes(const struct irrep_plan *size) {
  /* The grid of one structure is at most that of all atoms together; in its place come cursors. */
  const struct irrep_structure all = {.n_atoms = size->n_atoms};
  const size_t grid = neighbours_scratch_bytes(&all, 0);
  const size_t pairs = size_mul(size->n_edges, sizeof(struct neighbour_pair));
  return size_add(size_add(grid, pairs), IRREP_ALIGNMENT);
}

/* One structure's pairs go behind those that are there; its grid lies at the end of the scratch. */
static enum irrep_status measure_one(const struct species_map *map, double r_max,
                                     const struct irrep_structure *structure, size_t edges_left,
                                     unsigned char *scratch, size_t scratch_bytes,
                                     struct neighbour_pairs *pairs, size_t *n_edges) {
  enum irrep_status status = batch_check(map, structure, NULL);
  if (status != IRREP_OK)
    return status;
  const size_t grid = neighbours_scratch_bytes(structure, r_max);
  if (grid > scratch_bytes)
    return IRREP_NO_MEMORY;
  const size_t left = (scratch_bytes - grid) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  pairs->room = left / sizeof *pairs->pair;
  if (pairs->room < pairs->n)
    return IRREP_NO_MEMORY;
  status = neighbours_find(structure, r_max, edges_left, scratch + left, pairs, n_edges, NULL);
  return status == IRREP_OK && pairs->n > pairs->room ? IRREP_NO_MEMORY : status;
}

struct irrep_plan batch_measure(const struct species_map *map, double r_max,
                                const struct irrep_structure *structures, size_t n_structures,
                                void *scratch, size_t scratch_bytes, struct batch_span *spans,
                                struct irrep_result *results, struct neighbour_pairs *pairs) {
  struct irrep_plan size = {.n_structures = n_structures};
  *pairs = (struct neighbour_pairs){.pair = scratch};
  for (size_t s = 0; s < n_structures; s++) {
    const size_t first_pair = pairs->n;
    size_t n_edges = 0;
    results[s].status = measure_one(map, r_max, &structures[s], UINT32_MAX - size.n_edges, scratch,
                                    scratch_bytes, pairs, &n_edges);
    append_span(&size, &spans[s], structures[s].n_atoms, structures[s].n_atoms, n_edges,
                &results[s]);
    if (results[s].status != IRREP_OK)
      pairs->n = first_pair;
    spans[s].first_pair = first_pair;
    spans[s].n_pairs = pairs->n - first_pair;
  }
  return size;
}

void batch_fill(struct batch *batch, const struct species_map *map,
                const struct irrep_structure *structures, const struct neighbour_pairs *pairs,
                void *scratch, const struct irrep_result *results) {
  struct neighbour_pair *pair = scratch;
  if (pairs->n > 0)
    memmove(pair, pairs->pair, pairs->n * sizeof *pair);
  batch->own.first_edge[0] = 0;
  for (size_t s = 0; s < batch->n_structures; s++) {
    const struct batch_span *span = &batch->spans[s];
    if (results[s].status != IRREP_OK)
      continue;
    const struct neighbour_pairs found = {.pair = pair + span->first_pair, .n = span->n_pairs};
    neighbours_fill(&found, span->n_atoms, (uint32_t *)(pair + pairs->n),
                    (uint32_t)span->first_atom, (uint32_t)span->first_edge,
                    batch->own.first_edge + span->first_atom, batch->own.senders + span->first_edge,
                    batch->receivers + span->first_edge, batch->own.vectors + 3 * span->first_edge);
    for (size_t i = 0; i < span->n_atoms; i++)
      batch->species[span->first_atom + i] = (uint32_t)map->of[structures[s].numbers[i]];
  }
}
