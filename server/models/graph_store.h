/* The graphs of structures that wait to be evaluated: found once, by planning, and kept as far as
 * the memory budget allows. A structure whose graph is not kept has its edges found again when it
 * is evaluated.
 *
 * A quarter of the budget may be taken by graphs, those under way included. They give way to
 * batches: graphs of structures that wait are dropped, the latest first, where a batch needs the
 * memory. */
#ifndef SERVER_MODELS_GRAPH_STORE_H
#define SERVER_MODELS_GRAPH_STORE_H

#include "server/models/evaluator.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised: no graph. Belongs to whoever has the structure. */
struct kept_graph {
  struct irrep_graph *graph;    /* NULL: none */
  size_t bytes;                 /* in the store's sum */
  void (*let_go)(void *holder); /* of a graph that is the holder's, and counted there; NULL: it is
                                   the store's */
  void *holder;
  bool is_listed;
  struct kept_graph *older, *newer; /* while listed */
};

struct graph_store {
  const struct evaluator *evaluator;
  atomic_size_t bytes, limit;
  size_t part;                        /* of the budget */
  struct kept_graph *oldest, *newest; /* listed: those that may be dropped; the loop's */
  size_t listed_bytes;
};

void graph_store_init(struct graph_store *store, const struct evaluator *evaluator, size_t budget);

/* Another budget from now on; what is kept stays. */
void graph_store_set_budget(struct graph_store *store, size_t budget);

/* Graphs may take no more than so many bytes until the next call, what batches leave of the budget.
 */
void graph_store_set_room(struct graph_store *store, size_t bytes);

/* Plans a structure as the evaluator does, and keeps its graph where there is room for the making
 * of it: half of what is left at most, so that others who plan at the same time find some.
 * Thread-safe.
 */
enum irrep_status graph_store_plan(struct graph_store *store, const struct irrep_model *model,
                                   const struct irrep_structure *structure, size_t max_edges,
                                   struct irrep_plan *plan, struct kept_graph *kept,
                                   struct irrep_error *error);

/* Takes half of the bytes that are left of a part of the room, 1/parts; and gives bytes back.
 * Thread-safe. */
size_t graph_store_reserve(struct graph_store *store, size_t parts);
void graph_store_give(struct graph_store *store, size_t bytes);

/* Gives up a graph that is not listed. Thread-safe. */
void graph_store_drop(struct graph_store *store, struct kept_graph *kept);

/* Bytes of all graphs, and of those under way at most. Thread-safe. */
size_t graph_store_bytes(const struct graph_store *store);

/* On one thread: */

/* From now on the graph may be dropped, or no longer. A graph that is not there is not listed. */
void graph_store_list(struct graph_store *store, struct kept_graph *kept);
void graph_store_unlist(struct graph_store *store, struct kept_graph *kept);

/* Drops listed graphs, the latest first, until all graphs take at most so many bytes. */
void graph_store_shrink(struct graph_store *store, size_t bytes);

#endif
