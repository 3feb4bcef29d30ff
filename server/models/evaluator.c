#include "server/models/evaluator.h"

const struct evaluator evaluator_core = {
    .load_from = irrep_model_load_from,
    .free = irrep_model_free,
    .card = irrep_model_card,
    .plan = irrep_model_plan,
    .graph = irrep_model_graph,
    .graph_bytes = irrep_graph_bytes,
    .graph_free = irrep_graph_free,
    .bytes = irrep_model_bytes,
    .helper_bytes = irrep_model_helper_bytes,
    .self_check = irrep_model_self_check,
    .evaluate = irrep_model_evaluate,
    .evaluate_graphs = irrep_model_evaluate_graphs,
};
