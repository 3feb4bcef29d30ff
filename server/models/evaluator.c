#include "server/models/evaluator.h"

static enum irrep_status load_with_own_products(const struct irrep_model_source *source,
                                                struct irrep_model **model,
                                                struct irrep_error *error) {
  struct irrep_model_source own = *source;
  own.own_products = 1;
  return irrep_model_load_from(&own, model, error);
}

/* The core's calls but for load_from. */
#define CALLS                                                                                      \
  .free = irrep_model_free, .card = irrep_model_card, .plan = irrep_model_plan,                    \
  .graph = irrep_model_graph, .graph_bytes = irrep_graph_bytes, .graph_free = irrep_graph_free,    \
  .graph_build = irrep_graph_build, .graph_update = irrep_graph_update,                            \
  .bytes = irrep_model_bytes, .helper_bytes = irrep_model_helper_bytes,                            \
  .prepare = irrep_model_prepare, .resident_bytes = irrep_model_resident_bytes,                    \
  .self_check = irrep_model_self_check, .evaluate = irrep_model_evaluate,                          \
  .evaluate_graphs = irrep_model_evaluate_graphs, .tangents_bytes = irrep_model_tangents_bytes

const struct evaluator evaluator_core = {.load_from = irrep_model_load_from, CALLS};
const struct evaluator evaluator_own_products = {.load_from = load_with_own_products, CALLS};
