/* The terms of a model, over a batch of its cutoff: the network, pair repulsion, and the energies
 * of isolated atoms. */
#ifndef CORE_TERMS_MODEL_TERMS_H
#define CORE_TERMS_MODEL_TERMS_H

#include "core/cpu/evaluate.h"
#include "core/terms/term.h"

struct model_terms {
  const struct executable *network; /* whose program has the energies of isolated atoms */
  const struct term *repulsion;     /* or NULL */
};

/* Evaluates the workspace's batch, which has been filled: writes the energies of local atoms and,
 * if wanted, the gradients by edge vectors, of the sum of all terms. OK or CANCELLED, also where an
 * exchange has failed. Thread-safe on distinct workspaces and crews. */
enum irrep_status model_terms_evaluate(const struct model_terms *terms, struct workspace *workspace,
                                       bool gradients, const struct crew *crew);

#endif
