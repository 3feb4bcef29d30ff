/* The committee that structures of a batch are evaluated with: other models, one after the other,
 * in the same arena and on the same graphs, of which the results become the means.
 *
 * Means and squared deviations are summed in the order of the members (Welford, Technometrics 4,
 * 419 (1962)), so that they are the same bits whatever else is in the batch. */
#ifndef SERVER_COMPUTE_COMMITTEE_H
#define SERVER_COMPUTE_COMMITTEE_H

#include "server/compute/compute_inside.h"

/* After the batch's own model has given its results: evaluates the members of all predictions that
 * have some, and writes means and deviations. A prediction that a member fails gets its error. */
void committee_evaluate(const struct computing *computing, struct arrays *arrays);

#endif
