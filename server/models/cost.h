/* How long a batch takes one thread, by the atoms and edges in it: two rates, learned from the
 * batches that were computed. */
#ifndef SERVER_MODELS_COST_H
#define SERVER_MODELS_COST_H

#include "irrep/model.h"

/* Zero-initialised nothing is known. */
struct cost_rates {
  double atom, edge; /* seconds */
};

static inline double cost_seconds(const struct cost_rates *rates, const struct irrep_plan *plan) {
  return rates->atom * (double)plan->n_atoms + rates->edge * (double)plan->n_edges;
}

/* The same where the rates are known; before, what a slow model would take, so that the first batch
 * does not hold up others for long. */
double cost_expected(const struct cost_rates *rates, const struct irrep_plan *plan);

/* Corrects the rates by a batch that took so many seconds of all threads that had a part in it: a
 * relaxed step of Kaczmarz's method (Bull. Acad. Pol. Sci. Lett. A 35, 355 (1937)). It moves them
 * only along the batch's own proportion of atoms to edges, so that what many batches of a dense
 * crystal have taught does not undo what is known of molecules. */
void cost_learn(struct cost_rates *rates, const struct irrep_plan *plan, double seconds);

#endif
