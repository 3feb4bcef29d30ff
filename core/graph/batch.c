#include "core/graph/batch.h"

#include "irrep/conventions.h"

#include <stdio.h>
#include <string.h>

enum irrep_status batch_check(const struct species_map *map,
                              const struct irrep_structure *structure, struct irrep_error *error) {
  const enum irrep_status status = structure_check(structure, error);
  if (status != IRREP_OK)
    return status;
  for (size_t i = 0; i < structure->n_atoms; i++) {
    const int32_t number = structure->numbers[i];
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
    struct batch_span *span = &spans[s];
    *span = (struct batch_span){
        .first_atom = size.n_atoms, .first_edge = size.n_edges, .first_pair = pairs->n};
    results[s].status = measure_one(map, r_max, &structures[s], UINT32_MAX - size.n_edges, scratch,
                                    scratch_bytes, pairs, &span->n_edges);
    if (results[s].status == IRREP_OK && structures[s].n_atoms > UINT32_MAX - size.n_atoms)
      results[s].status = IRREP_TOO_LARGE;
    if (results[s].status == IRREP_OK) {
      span->n_atoms = structures[s].n_atoms;
      span->n_pairs = pairs->n - span->first_pair;
    } else {
      span->n_edges = 0;
      pairs->n = span->first_pair;
    }
    results[s].n_edges = span->n_edges;
    size.n_atoms += span->n_atoms;
    size.n_edges += span->n_edges;
  }
  return size;
}

void batch_take_spans(struct batch *batch, struct arena *arena, size_t n_structures) {
  *batch = (struct batch){.n_structures = n_structures};
  batch->spans = arena_take(arena, n_structures, sizeof *batch->spans);
}

void batch_take(struct batch *batch, struct arena *arena, const struct irrep_plan *size) {
  batch->n_atoms = size->n_atoms;
  batch->n_edges = size->n_edges;
  batch->species = arena_take(arena, size->n_atoms, sizeof *batch->species);
  batch->first_edge = arena_take(arena, size_add(size->n_atoms, 1), sizeof *batch->first_edge);
  batch->senders = arena_take(arena, size->n_edges, sizeof *batch->senders);
  batch->receivers = arena_take(arena, size->n_edges, sizeof *batch->receivers);
  batch->vectors = arena_take(arena, size_mul(size->n_edges, 3), sizeof *batch->vectors);
}

void batch_fill(struct batch *batch, const struct species_map *map,
                const struct irrep_structure *structures, const struct neighbour_pairs *pairs,
                void *scratch, const struct irrep_result *results) {
  struct neighbour_pair *pair = scratch;
  if (pairs->n > 0)
    memmove(pair, pairs->pair, pairs->n * sizeof *pair);
  batch->first_edge[0] = 0;
  for (size_t s = 0; s < batch->n_structures; s++) {
    const struct batch_span *span = &batch->spans[s];
    if (results[s].status != IRREP_OK)
      continue;
    const struct neighbour_pairs own = {.pair = pair + span->first_pair, .n = span->n_pairs};
    neighbours_fill(&own, span->n_atoms, (uint32_t *)(pair + pairs->n), (uint32_t)span->first_atom,
                    (uint32_t)span->first_edge, batch->first_edge + span->first_atom,
                    batch->senders + span->first_edge, batch->receivers + span->first_edge,
                    batch->vectors + 3 * span->first_edge);
    for (size_t i = 0; i < span->n_atoms; i++)
      batch->species[span->first_atom + i] = (uint32_t)map->of[structures[s].numbers[i]];
  }
}
