#include "server/models/bounds.h"

#include <stdint.h>

struct bounds bounds_search(const struct evaluator *evaluator, const struct irrep_model *model,
                            enum irrep_precision precision, size_t max_bytes) {
  struct irrep_plan plan = {.struct_size = sizeof plan, .n_structures = 1, .n_atoms = 1};
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

const struct bounds *bounds_find(struct bounds_cache *cache, const struct evaluator *evaluator,
                                 const struct irrep_model *model, size_t max_bytes) {
  if (!cache->known || cache->bounds[0].max_bytes != max_bytes)
    for (size_t k = 0; k < 2; k++)
      cache->bounds[k] = bounds_search(evaluator, model, (enum irrep_precision)k, max_bytes);
  cache->known = true;
  return cache->bounds;
}
