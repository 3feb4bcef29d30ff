/* The calls into the core that the server makes, as a table, so that tests can stand in for it. */
#ifndef SERVER_MODELS_EVALUATOR_H
#define SERVER_MODELS_EVALUATOR_H

#include "irrep/model.h"
#include "irrep/tangents.h"

/* Each as the irrep_model_ function of that name in irrep/model.h, or irrep_graph_ in graph.h. */
struct evaluator {
  enum irrep_status (*load_from)(const struct irrep_model_source *source,
                                 struct irrep_model **model, struct irrep_error *error);
  void (*free)(struct irrep_model *model);
  const struct irrep_card *(*card)(const struct irrep_model *model);
  enum irrep_status (*plan)(const struct irrep_model *model,
                            const struct irrep_structure *structure, size_t max_edges,
                            struct irrep_plan *plan, struct irrep_error *error);
  enum irrep_status (*graph)(const struct irrep_model *model,
                             const struct irrep_structure *structure, size_t max_edges,
                             size_t max_bytes, struct irrep_plan *plan, struct irrep_graph **graph,
                             struct irrep_error *error);
  size_t (*graph_bytes)(const struct irrep_graph *graph);
  void (*graph_free)(struct irrep_graph *graph);
  /* These two may be NULL: structures that move have their edges found anew. */
  enum irrep_status (*graph_build)(const struct irrep_structure *structure, double cutoff,
                                   double skin, size_t max_edges, struct irrep_graph **graph,
                                   struct irrep_error *error);
  enum irrep_status (*graph_update)(struct irrep_graph *graph, const double *positions,
                                    const double cell[3][3], bool *stale,
                                    struct irrep_error *error);
  size_t (*bytes)(const struct irrep_model *model, enum irrep_precision precision,
                  const struct irrep_plan *batch);
  size_t (*helper_bytes)(const struct irrep_model *model, enum irrep_precision precision);
  enum irrep_status (*prepare)(const struct irrep_model *model, enum irrep_precision precision,
                               struct irrep_error *error);
  size_t (*resident_bytes)(const struct irrep_model *model);
  enum irrep_status (*self_check)(const struct irrep_model *model, enum irrep_precision precision,
                                  double *deviation, struct irrep_error *error);
  enum irrep_status (*evaluate)(const struct irrep_model *model,
                                const struct irrep_evaluate_options *options,
                                const struct irrep_structure *structures, size_t n_structures,
                                void *arena, size_t arena_bytes, struct irrep_result *results,
                                struct irrep_error *error);
  enum irrep_status (*evaluate_graphs)(const struct irrep_model *model,
                                       const struct irrep_evaluate_options *options,
                                       const struct irrep_graph *const *graphs, size_t n_graphs,
                                       void *arena, size_t arena_bytes,
                                       struct irrep_result *results, struct irrep_error *error);
  /* Of irrep/tangents.h; NULL: no model has tangents. */
  size_t (*tangents_bytes)(const struct irrep_model *model, const struct irrep_plan *plan);
};

/* The core itself; and the same where OpenBLAS is not to be called. */
extern const struct evaluator evaluator_core, evaluator_own_products;

#endif
