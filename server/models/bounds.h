/* The most that one structure of a model may take of the memory budget. */
#ifndef SERVER_MODELS_BOUNDS_H
#define SERVER_MODELS_BOUNDS_H

#include "irrep/model.h"
#include "server/models/evaluator.h"

#include <stdbool.h>
#include <stddef.h>

struct bounds {
  size_t max_edges; /* beyond which a structure cannot fit max_bytes */
  size_t max_bytes; /* planned */
};

/* The bounds of a model under a budget: searches max_edges by bisection. Thread-safe. */
struct bounds bounds_search(const struct evaluator *evaluator, const struct irrep_model *model,
                            enum irrep_precision precision, size_t max_bytes);

/* The bounds of one model in both precisions, once they have been asked for. Zero-initialised it is
 * empty. One thread's. */
struct bounds_cache {
  bool known;
  struct bounds bounds[2]; /* by precision */
};

/* Gives the bounds, indexed by precision; searches when they are not known or for another budget.
 */
const struct bounds *bounds_find(struct bounds_cache *cache, const struct evaluator *evaluator,
                                 const struct irrep_model *model, size_t max_bytes);

#endif
