#include "core/terms/repulsion.h"

#include "core/graph/vector3.h"
#include "core/nn/pair_repulsion.h"

/* Atoms of a task: most edges are longer than any repulsion, and take little time. */
#define TILE 256

static size_t n_tasks(const struct term_place *place, size_t pass) {
  const bool wanted = pass == REPULSION_ENERGIES || place->slopes;
  return wanted ? (place->batch->n_local + TILE - 1) / TILE : 0;
}

/* With the factors of an atom's head. */
static struct pair_repulsion pair_of(const struct term_place *place, uint32_t atom) {
  struct pair_repulsion pair = *(const struct pair_repulsion *)place->term->parameters;
  if (place->batch->heads)
    pair.factor += place->batch->heads[atom] * pair.n_species * pair.n_species;
  return pair;
}

static void add_atom(const struct term_place *place, size_t pass, uint32_t receiver) {
  const struct pair_repulsion pair = pair_of(place, receiver);
  const struct batch *batch = place->batch;
  for (size_t e = batch->first_edge[receiver]; e < batch->first_edge[receiver + 1]; e++) {
    double energy, slope;
    pair_repulsion(&pair, batch->species[receiver], batch->species[batch->senders[e]],
                   vector3_length(batch->vectors + 3 * e), &energy, &slope);
    if (pass == REPULSION_ENERGIES)
      place->energies[receiver] += energy;
    else
      place->slopes[e] += slope;
  }
}

static void task(const struct term_place *place, size_t pass, size_t index) {
  const struct batch *batch = place->batch;
  const size_t first = index * TILE;
  const size_t end = batch->n_local - first < TILE ? batch->n_local : first + TILE;
  for (size_t i = first; i < end; i++)
    add_atom(place, pass, (uint32_t)i);
}

const struct term_kind repulsion_kind = {.name = "pair repulsion",
                                         .takes_graph = true,
                                         .n_passes = REPULSION_PASSES,
                                         .n_tasks = n_tasks,
                                         .task = task};
