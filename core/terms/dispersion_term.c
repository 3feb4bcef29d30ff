#include "core/terms/dispersion_term.h"

#include "core/dispersion/three_body.h"

/* What is heard of ghosts has passes of its own, of which a whole structure has none. */
enum {
  BEGIN,
  COORDINATION,
  HEAR_COORDINATION,
  PAIRS,
  TRIPLES,
  TELL_SLOPES,
  HEAR_SLOPES,
  COORDINATION_FORCES,
  PASSES
};

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
  const size_t n = place->structure->n_atoms;
  const bool of_slopes = pass == TELL_SLOPES || pass == HEAR_SLOPES || pass == COORDINATION_FORCES;
  if (pass == BEGIN)
    return n > 0 ? 1 : 0;
  if (pass == TRIPLES)
    return parameters->options.three_body && n > 0 ? D3_TRIPLE_TASKS : 0;
  if ((of_slopes && !place->forces) ||
      (!place->is_part &&
       (pass == HEAR_COORDINATION || pass == TELL_SLOPES || pass == HEAR_SLOPES)))
    return 0;
  return (n + ATOMS_PER_TASK - 1) / ATOMS_PER_TASK;
}

/* Without atoms there are no rows, but the other processes expect a call. */
static struct term_rows exchanged(const struct term_place *place, size_t pass) {
  struct d3 *d3 = place->scratch;
  const bool is_told =
      place->is_part && (pass == HEAR_COORDINATION || (pass == HEAR_SLOPES && place->forces));
  if (!is_told)
    return (struct term_rows){NULL, 0, false};
  return (struct term_rows){place->structure->n_atoms > 0 ? d3->rows : place->scratch, 1, true};
}

/* The structure under way lies at the start of the scratch. */
static void begin(const struct term_place *place) {
  const size_t n = place->structure->n_atoms, bytes = scratch_bytes(place->term->parameters, n, 0);
  const struct d3_sums sums = {place->energies, place->forces, place->strains};
  struct arena arena = arena_over(place->scratch, bytes);
  d3_begin(d3_take(place->term->parameters, n, &arena), place->structure, &sums);
}

static bool is_ghost_at(const struct term_place *place, size_t slot) {
  const struct d3 *d3 = place->scratch;
  return place->is_part && d3->cells.index[slot] >= place->n_local;
}

static void do_slot(const struct term_place *place, size_t pass, size_t slot) {
  struct d3 *d3 = place->scratch;
  const bool is_ghost = is_ghost_at(place, slot);
  if (is_ghost && pass == HEAR_COORDINATION)
    d3_hear_coordination(d3, slot);
  else if (is_ghost && pass == HEAR_SLOPES)
    d3_hear_slope(d3, slot);
  else if (is_ghost)
    return;
  else if (pass == COORDINATION)
    d3_coordination(d3, slot);
  else if (pass == PAIRS)
    d3_pairs(d3, slot);
  else if (pass == TELL_SLOPES)
    d3_tell_slope(d3, slot);
  else if (pass == COORDINATION_FORCES)
    d3_coordination_forces(d3, slot);
}

static void task(const struct term_place *place, size_t pass, size_t index) {
  const size_t n = place->structure->n_atoms, first = index * ATOMS_PER_TASK;
  struct d3 *d3 = place->scratch;
  if (pass == BEGIN)
    begin(place);
  for (size_t slot = index; pass == TRIPLES && slot < n; slot += D3_TRIPLE_TASKS)
    if (!is_ghost_at(place, slot))
      d3_triples(d3, slot, index);
  for (size_t slot = first;
       pass != BEGIN && pass != TRIPLES && slot < n && slot < first + ATOMS_PER_TASK; slot++)
    do_slot(place, pass, slot);
}

static enum irrep_status finish(const struct term_place *place) {
  return place->structure->n_atoms > 0 ? d3_end(place->scratch) : IRREP_OK;
}

const struct term_kind dispersion_kind = {.name = "dispersion",
                                          .takes_graph = false,
                                          .n_passes = PASSES,
                                          .scratch_bytes = scratch_bytes,
                                          .n_tasks = n_tasks,
                                          .task = task,
                                          .exchanged = exchanged,
                                          .finish = finish};
