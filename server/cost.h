/* How long a computation takes, guessed from the size of what is computed: the unit of cost is the
 * work for one edge, of which an atom takes as much as COST_OF_ATOM. */
#ifndef SERVER_COST_H
#define SERVER_COST_H

#include "irrep/model.h"

/* The edges of an atom that take as long as its own operations, in the models that we have timed;
 * errors of a factor of two hardly matter to what is made of it. */
#define COST_OF_ATOM 16.0

static inline double cost_of(const struct irrep_plan *plan) {
  return COST_OF_ATOM * (double)plan->n_atoms + (double)plan->n_edges;
}

#endif
