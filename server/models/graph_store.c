#include "server/models/graph_store.h"

/* The part of the budget that graphs may take. */
#define BUDGET_PART 4

void graph_store_init(struct graph_store *store, const struct evaluator *evaluator, size_t budget) {
  *store = (struct graph_store){.evaluator = evaluator};
  graph_store_set_budget(store, budget);
}

void graph_store_set_budget(struct graph_store *store, size_t budget) {
  store->part = budget / BUDGET_PART;
  atomic_store(&store->limit, store->part);
}

void graph_store_set_room(struct graph_store *store, size_t bytes) {
  atomic_store(&store->limit, bytes < store->part ? bytes : store->part);
}

size_t graph_store_reserve(struct graph_store *store, size_t parts) {
  const size_t limit = atomic_load(&store->limit) / parts;
  size_t taken = atomic_load(&store->bytes), half;
  do
    half = taken < limit ? (limit - taken) / 2 : 0;
  while (!atomic_compare_exchange_weak(&store->bytes, &taken, taken + half));
  return half;
}

void graph_store_give(struct graph_store *store, size_t bytes) {
  atomic_fetch_sub(&store->bytes, bytes);
}

enum irrep_status graph_store_plan(struct graph_store *store, const struct irrep_model *model,
                                   const struct irrep_structure *structure, size_t max_edges,
                                   struct irrep_plan *plan, struct kept_graph *kept,
                                   struct irrep_error *error) {
  const size_t reserved = graph_store_reserve(store, 1);
  *kept = (struct kept_graph){0};
  const enum irrep_status status =
      store->evaluator->graph(model, structure, max_edges, reserved, plan, &kept->graph, error);
  kept->bytes = kept->graph ? store->evaluator->graph_bytes(kept->graph) : 0;
  atomic_fetch_sub(&store->bytes, reserved - kept->bytes);
  return status;
}

void graph_store_drop(struct graph_store *store, struct kept_graph *kept) {
  if (!kept->graph)
    return;
  if (kept->let_go) {
    kept->let_go(kept->holder);
  } else {
    store->evaluator->graph_free(kept->graph);
    atomic_fetch_sub(&store->bytes, kept->bytes);
  }
  *kept = (struct kept_graph){0};
}

size_t graph_store_bytes(const struct graph_store *store) {
  return atomic_load(&store->bytes);
}

void graph_store_list(struct graph_store *store, struct kept_graph *kept) {
  if (!kept->graph || kept->let_go || kept->is_listed)
    return;
  kept->is_listed = true;
  kept->newer = NULL;
  kept->older = store->newest;
  *(kept->older ? &kept->older->newer : &store->oldest) = kept;
  store->newest = kept;
  store->listed_bytes += kept->bytes;
}

void graph_store_unlist(struct graph_store *store, struct kept_graph *kept) {
  if (!kept->is_listed)
    return;
  kept->is_listed = false;
  *(kept->older ? &kept->older->newer : &store->oldest) = kept->newer;
  *(kept->newer ? &kept->newer->older : &store->newest) = kept->older;
  store->listed_bytes -= kept->bytes;
}

void graph_store_shrink(struct graph_store *store, size_t bytes) {
  while (store->newest && graph_store_bytes(store) > bytes) {
    struct kept_graph *latest = store->newest;
    graph_store_unlist(store, latest);
    graph_store_drop(store, latest);
  }
}
