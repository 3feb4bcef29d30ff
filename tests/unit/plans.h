/* Plans as tests write them down. */
#ifndef TESTS_UNIT_PLANS_H
#define TESTS_UNIT_PLANS_H

#include "irrep/model.h"

#define PLAN(n_structures, n_atoms, n_edges)                                                       \
  { sizeof(struct irrep_plan), n_structures, n_atoms, n_edges, 0, 0 }

#endif
