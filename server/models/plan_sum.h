/* Sums of plans: what is in a batch, or waits. */
#ifndef SERVER_MODELS_PLAN_SUM_H
#define SERVER_MODELS_PLAN_SUM_H

#include "irrep/model.h"

static inline void plan_add(struct irrep_plan *sum, const struct irrep_plan *plan) {
  sum->n_structures += plan->n_structures;
  sum->n_atoms += plan->n_atoms;
  sum->n_edges += plan->n_edges;
  sum->n_ghosts += plan->n_ghosts;
  sum->n_view_edges += plan->n_view_edges;
}

static inline void plan_subtract(struct irrep_plan *sum, const struct irrep_plan *plan) {
  sum->n_structures -= plan->n_structures;
  sum->n_atoms -= plan->n_atoms;
  sum->n_edges -= plan->n_edges;
  sum->n_ghosts -= plan->n_ghosts;
  sum->n_view_edges -= plan->n_view_edges;
}

#endif
