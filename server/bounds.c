#include "server/bounds.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bounds_of_model {
  const struct irrep_model *model;
  size_t max_bytes;
  struct bounds bounds[2]; /* by precision */
};

struct bounds bounds_search(const struct evaluator *evaluator, const struct irrep_model *model,
                            enum irrep_precision precision, size_t max_bytes) {
  struct irrep_plan plan = {.n_structures = 1, .n_atoms = 1};
  size_t fits = 0, exceeds = SIZE_MAX;
  while (exceeds - fits > 1) {
    plan.n_edges = fits + (exceeds - fits) / 2;
    if (evaluator->bytes(model, precision, &plan) <= max_bytes)
      fits = plan.n_edges;
    else
      exceeds = plan.n_edges;
  }
  return (struct bounds){.max_edges = fits, .max_bytes = max_bytes};
}

void bounds_cache_fini(struct bounds_cache *cache) {
  free(cache->models);
  *cache = (struct bounds_cache){0};
}

bool bounds_find(struct bounds_cache *cache, const struct evaluator *evaluator,
                 const struct irrep_model *model, size_t max_bytes, struct bounds bounds[2]) {
  size_t i = 0;
  while (i < cache->n_models &&
         (cache->models[i].model != model || cache->models[i].max_bytes != max_bytes))
    i++;
  if (i == cache->n_models) {
    struct bounds_of_model *models = realloc(cache->models, (i + 1) * sizeof *models);
    if (!models)
      return false;
    cache->models = models;
    models[i] = (struct bounds_of_model){.model = model, .max_bytes = max_bytes};
    for (size_t k = 0; k < 2; k++)
      models[i].bounds[k] = bounds_search(evaluator, model, (enum irrep_precision)k, max_bytes);
    cache->n_models++;
  }
  memcpy(bounds, cache->models[i].bounds, sizeof cache->models[i].bounds);
  return true;
}
