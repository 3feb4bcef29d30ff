/* The graph of a structure that moves step by step: built with a skin, and updated without a search
 * as long as that covers the move; it has the bits of a graph that is found anew
 * (irrep_graph_update). Who moves the structure has it, and a request while it is evaluated. */
#ifndef SERVER_MODELS_MOVING_GRAPH_H
#define SERVER_MODELS_MOVING_GRAPH_H

#include "server/models/graph_store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct moving_graph {
  atomic_size_t n_holders;
  /* Private */
  bool has_begun; /* the structure has been planned as any other, which checks it, once */
  struct irrep_graph *graph;
  struct graph_store *store; /* whose bytes it counts in */
  size_t bytes;
};

/* Held once; NULL without memory. */
struct moving_graph *moving_graph_new(void);

/* Holds it once more, and lets go of it. Thread-safe. */
void moving_graph_hold(struct moving_graph *moving);
void moving_graph_release(struct moving_graph *moving); /* NULL is allowed */

/* Plans a structure by it, and has kept be its graph, which holds it. false: it cannot (the first
 * time, without memory, or while somebody has it beside the request that is planned and who moves
 * the structure): it is to be planned as any other. */
bool moving_graph_plan(struct moving_graph *moving, struct graph_store *store,
                       const struct irrep_model *model, const struct irrep_structure *structure,
                       size_t max_edges, struct irrep_plan *plan, struct kept_graph *kept);

#endif
