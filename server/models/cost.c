#include "server/models/cost.h"

#include <stdbool.h>

/* The edges that take as long as an atom's own operations, in the models that we have timed: what
 * the first batch is shared out by, and the unit in which both rates are about as large. */
#define EDGES_OF_ATOM 16.0

/* Of models with many channels in float64, on one core. */
#define SLOW_EDGE_SECONDS 20e-6

/* What is left of the error for the same batch again: times scatter, by what else a machine does.
 */
#define KEPT 0.75

static bool is_known(const struct cost_rates *rates) {
  return rates->atom > 0 || rates->edge > 0;
}

double cost_expected(const struct cost_rates *rates, const struct irrep_plan *plan) {
  static const struct cost_rates slow = {.atom = EDGES_OF_ATOM * SLOW_EDGE_SECONDS,
                                         .edge = SLOW_EDGE_SECONDS};
  return cost_seconds(is_known(rates) ? rates : &slow, plan);
}

void cost_learn(struct cost_rates *rates, const struct irrep_plan *plan, double seconds) {
  const double atoms = EDGES_OF_ATOM * (double)plan->n_atoms, edges = (double)plan->n_edges;
  if (!(seconds > 0) || atoms + edges == 0)
    return;
  if (!is_known(rates)) {
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
