#include "core/graph/batch.h"

#include "core/graph/neighbours.h"
#include "irrep/conventions.h"

#include <stdio.h>

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

static enum irrep_status measure_one(const struct species_map *map, double r_max,
                                     const struct irrep_structure *structure, size_t edges_left,
                                     void *scratch, size_t scratch_bytes, size_t *n_edges) {
  const enum irrep_status status = batch_check(map, structure, NULL);
  if (status != IRREP_OK)
    return status;
  if (neighbours_scratch_bytes(structure, r_max) > scratch_bytes)
    return IRREP_NO_MEMORY;
  return neighbours_count(structure, r_max, edges_left, scratch, n_edges, NULL);
}

struct irrep_plan batch_measure(const struct species_map *map, double r_max,
                                const struct irrep_structure *structures, size_t n_structures,
                                void *scratch, size_t scratch_bytes, struct batch_span *spans,
                                struct irrep_result *results) {
  struct irrep_plan size = {.n_structures = n_structures};
  for (size_t s = 0; s < n_structures; s++) {
    struct batch_span *span = &spans[s];
    *span = (struct batch_span){.first_atom = size.n_atoms, .first_edge = size.n_edges};
    results[s].status = measure_one(map, r_max, &structures[s], UINT32_MAX - size.n_edges, scratch,
                                    scratch_bytes, &span->n_edges);
    if (results[s].status == IRREP_OK && structures[s].n_atoms > UINT32_MAX - size.n_atoms)
      results[s].status = IRREP_TOO_LARGE;
    if (results[s].status == IRREP_OK)
      span->n_atoms = structures[s].n_atoms;
    else
      span->n_edges = 0;
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

void batch_fill(struct batch *batch, const struct species_map *map, double r_max,
                const struct irrep_structure *structures, void *scratch,
                struct irrep_result *results) {
  batch->first_edge[0] = 0;
  for (size_t s = 0; s < batch->n_structures; s++) {
    const struct batch_span *span = &batch->spans[s];
    if (results[s].status != IRREP_OK)
      continue;
    results[s].status =
        neighbours_fill(&structures[s], r_max, scratch, span->n_edges, (uint32_t)span->first_atom,
                        (uint32_t)span->first_edge, batch->first_edge + span->first_atom,
                        batch->senders + span->first_edge, batch->receivers + span->first_edge,
                        batch->vectors + 3 * span->first_edge);
    for (size_t i = 0; i < span->n_atoms; i++)
      batch->species[span->first_atom + i] = (uint32_t)map->of[structures[s].numbers[i]];
  }
}
