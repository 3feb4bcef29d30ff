/* The most that one structure of a model may take of the memory budget. */
#ifndef SERVER_BOUNDS_H
#define SERVER_BOUNDS_H

#include "irrep/model.h"
#include "server/evaluator.h"

#include <stdbool.h>
#include <stddef.h>

struct bounds {
  size_t max_edges; /* beyond which a structure cannot fit max_bytes */
  size_t max_bytes; /* planned */
};

/* The bounds of a model under a budget: searches max_edges by bisection. Thread-safe. */
struct bounds bounds_search(const struct evaluator *evaluator, const struct irrep_model *model,
                            enum irrep_precision precision, size_t max_bytes);

/* Bounds of models that have been asked for before. Zero-initialised it is empty. One thread's. */
struct bounds_cache {
  struct bounds_of_model *models; /* [n_models] */
  size_t n_models;
};

void bounds_cache_fini(struct bounds_cache *cache);

/* Gives the bounds of a model in both precisions, indexed by them. false: without memory. */
bool bounds_find(struct bounds_cache *cache, const struct evaluator *evaluator,
                 const struct irrep_model *model, size_t max_bytes, struct bounds bounds[2]);

#endif
