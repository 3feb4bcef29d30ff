#include "server/models/moving_graph.h"

#include <stdint.h>
#include <stdlib.h>

/* Angstrom: an atom may move half of it before edges are searched for again. */
#define SKIN 0.5

/* What a pair takes at most in a graph with a skin and while it is searched for. */
#define BYTES_OF_PAIR 96

/* The part of the store's room that graphs of moving structures may take together: they do not give
 * way to batches. */
#define STORE_PART 2

struct moving_graph *moving_graph_new(void) {
  struct moving_graph *moving = calloc(1, sizeof *moving);
  if (moving)
    atomic_init(&moving->n_holders, 1);
  return moving;
}

void moving_graph_hold(struct moving_graph *moving) {
  atomic_fetch_add(&moving->n_holders, 1);
}

static void drop(struct moving_graph *moving) {
  if (!moving->graph)
    return;
  moving->store->evaluator->graph_free(moving->graph);
  graph_store_give(moving->store, moving->bytes);
  moving->graph = NULL;
  moving->bytes = 0;
}

void moving_graph_release(struct moving_graph *moving) {
  if (!moving || atomic_fetch_sub(&moving->n_holders, 1) > 1)
    return;
  drop(moving);
  free(moving);
}

/* Whether the graph is that of the structure now. */
static bool update(struct moving_graph *moving, const struct irrep_structure *s) {
  bool stale = true;
  return moving->graph &&
         moving->store->evaluator->graph_update(moving->graph, s->positions, s->cell, &stale,
                                                NULL) == IRREP_OK &&
         !stale;
}

static bool build(struct moving_graph *moving, struct graph_store *store,
                  const struct irrep_model *model, const struct irrep_structure *s,
                  size_t max_edges) {
  const double cutoff = store->evaluator->card(model)->r_max;
  drop(moving);
  moving->store = store;
  const size_t reserved = graph_store_reserve(store, STORE_PART);
  const size_t fitting = reserved / BYTES_OF_PAIR;
  const size_t most = max_edges < SIZE_MAX / 2 ? 2 * max_edges : SIZE_MAX; /* with the skin's */
  if (fitting > 0 && store->evaluator->graph_build(s, cutoff, SKIN, most < fitting ? most : fitting,
                                                   &moving->graph, NULL) != IRREP_OK)
    moving->graph = NULL;
  moving->bytes = moving->graph ? store->evaluator->graph_bytes(moving->graph) : 0;
  graph_store_give(store, reserved - (moving->bytes < reserved ? moving->bytes : reserved));
  if (moving->bytes > reserved) { /* it does not happen: pairs are counted for more */
    moving->bytes = reserved;
    drop(moving);
  }
  return moving->graph != NULL;
}

static void let_go(void *holder) {
  moving_graph_release(holder);
}

bool moving_graph_plan(struct moving_graph *moving, struct graph_store *store,
                       const struct irrep_model *model, const struct irrep_structure *structure,
                       size_t max_edges, struct irrep_plan *plan, struct kept_graph *kept) {
  const bool is_first = !moving->has_begun;
  struct irrep_plan found = IRREP_PLAN_INIT;
  moving->has_begun = true;
  if (is_first || !store->evaluator->graph_build || atomic_load(&moving->n_holders) > 2)
    return false;
  if (!update(moving, structure) && !build(moving, store, model, structure, max_edges))
    return false;
  if (irrep_graph_plan(moving->graph, &found, NULL) != IRREP_OK || found.n_edges > max_edges)
    return false;
  moving_graph_hold(moving);
  *plan = found;
  *kept = (struct kept_graph){.graph = moving->graph, .let_go = let_go, .holder = moving};
  return true;
}
