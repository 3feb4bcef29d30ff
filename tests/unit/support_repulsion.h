/* A pair repulsion between the two species of support_program.h, and some atoms' place for a term.
 * Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_REPULSION_H
#define TESTS_UNIT_SUPPORT_REPULSION_H

#include "core/nn/pair_repulsion.h"
#include "core/terms/repulsion.h"
#include "tests/unit/support_program.h"

/* The tables are not symmetric. */
static const struct pair_repulsion test_repulsion = {.n_species = TEST_SPECIES,
                                                     .n_terms = 2,
                                                     .coefficients = (const double[]){0.3, 0.7},
                                                     .exponents = (const double[]){0.4, 1.1},
                                                     .factor =
                                                         (const double[]){14.4, 57.6, 60.0, 240.0},
                                                     .length = (const double[]){0.6, 0.5, 0.4, 0.3},
                                                     .r_max = (const double[]){2.9, 2.5, 2.7, 1.9},
                                                     .p = 6.0};

static const struct term test_repulsion_term = {
    .kind = &repulsion_kind, .parameters = &test_repulsion, .cutoff = TEST_R_MAX};

/* The energies and slopes that the repulsion gives on a batch, edge by edge. */
static inline void expect_repulsion(const struct batch *batch, double *energies, double *slopes) {
  memset(energies, 0, batch->n_atoms * sizeof(double));
  for (size_t e = 0; e < batch->n_edges; e++) {
    const double *v = batch->vectors + 3 * e;
    double energy;
    pair_repulsion(&test_repulsion, batch->species[batch->receivers[e]],
                   batch->species[batch->senders[e]], sqrt(dot(3, v, v)), &energy, &slopes[e]);
    energies[batch->receivers[e]] += energy;
  }
}

#endif
