#include "core/terms/dispersion_term.h"

#include "core/dispersion/three_body.h"

enum { BEGIN, COORDINATION, PAIRS, TRIPLES, COORDINATION_FORCES, PASSES };

/* Atoms of a task. */
#define ATOMS_PER_TASK 8

void dispersion_map(const struct irrep_dispersion *data, struct species_map *map) {
  for (size_t z = 0; z < sizeof map->of / sizeof *map->of; z++)
    map->of[z] = (int16_t)(z < REFERENCE_NUMBERS && data->n_references[z] > 0 ? (int16_t)z : -1);
}

static size_t scratch_bytes(const void *parameters, size_t n_atoms, size_t n_edges) {
  struct arena arena = arena_counting();
  (void)n_edges;
  d3_take(parameters, n_atoms, &arena);
  return arena.failed ? SIZE_MAX : arena.used;
}

static size_t n_tasks(const struct term_place *place, size_t pass) {
  const struct d3_parameters *parameters = place->term->parameters;
  if (pass == BEGIN)
    return 1;
  if (pass == TRIPLES)
    return parameters->options.three_body ? D3_TRIPLE_TASKS : 0;
  if (pass == COORDINATION_FORCES && !place->forces)
    return 0;
  return (place->structure->n_atoms + ATOMS_PER_TASK - 1) / ATOMS_PER_TASK;
}

/* The structure under way lies at the start of the scratch. */
static void begin(const struct term_place *place) {
  const size_t n = place->structure->n_atoms, bytes = scratch_bytes(place->term->parameters, n, 0);
  const struct d3_sums sums = {place->energies, place->forces, place->strains};
  struct arena arena = arena_over(place->scratch, bytes);
  d3_begin(d3_take(place->term->parameters, n, &arena), place->structure, &sums);
}

static void task(const struct term_place *place, size_t pass, size_t index) {
  const size_t n = place->structure->n_atoms, first = index * ATOMS_PER_TASK;
  struct d3 *d3 = place->scratch;
  if (pass == BEGIN)
    begin(place);
  for (size_t slot = index; pass == TRIPLES && slot < n; slot += D3_TRIPLE_TASKS)
    d3_triples(d3, slot, index);
  for (size_t slot = first; slot < n && slot < first + ATOMS_PER_TASK; slot++) {
    if (pass == COORDINATION)
      d3_coordination(d3, slot);
    else if (pass == PAIRS)
      d3_pairs(d3, slot);
    else if (pass == COORDINATION_FORCES)
      d3_coordination_forces(d3, slot);
  }
}

static enum irrep_status finish(const struct term_place *place) {
  return d3_end(place->scratch);
}

const struct term_kind dispersion_kind = {.name = "dispersion",
                                          .takes_graph = false,
                                          .n_passes = PASSES,
                                          .scratch_bytes = scratch_bytes,
                                          .n_tasks = n_tasks,
                                          .task = task,
                                          .finish = finish};
