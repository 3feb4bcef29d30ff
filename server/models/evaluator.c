#include "server/models/evaluator.h"

const struct evaluator evaluator_core = {
    .load_from = irrep_model_load_from,
    .free = irrep_model_free,
    .card = irrep_model_card,
    .plan = irrep_model_plan,
    .bytes = irrep_model_bytes,
    .helper_bytes = irrep_model_helper_bytes,
    .self_check = irrep_model_self_check,
    .evaluate = irrep_model_evaluate,
};
