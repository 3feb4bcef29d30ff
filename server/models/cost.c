#include "server/models/cost.h"

/* The edges that take as long as an atom's own operations, in the models that we have timed: what
 * the first batch is shared out by, and the unit in which both rates are about as large. */
#define EDGES_OF_ATOM 16.0

/* What is left of the error for the same batch again: times scatter, by what else a machine does.
 */
#define KEPT 0.75

void cost_learn(struct cost_rates *rates, const struct irrep_plan *plan, double seconds) {
  const double atoms = EDGES_OF_ATOM * (double)plan->n_atoms, edges = (double)plan->n_edges;
  if (!(seconds > 0) || atoms + edges == 0)
    return;
  if (rates->atom == 0 && rates->edge == 0) {
    rates->edge = seconds / (atoms + edges);
    rates->atom = EDGES_OF_ATOM * rates->edge;
    return;
  }
  const double error = seconds - cost_seconds(rates, plan);
  const double step = (1 - KEPT) * error / (atoms * atoms + edges * edges);
  const double atom = rates->atom + EDGES_OF_ATOM * step * atoms, edge = rates->edge + step * edges;
  rates->atom = atom > 0 ? atom : 0;
  rates->edge = edge > 0 ? edge : 0;
}
