/* The comparison behind irrep_model_self_check. */
#ifndef CORE_API_SELF_CHECK_H
#define CORE_API_SELF_CHECK_H

#include "irrep/result.h"

/* The largest difference of two results of n_atoms, energy and forces, in units of the tolerance,
 * relative to the larger numbers among them. INFINITY when one of them only is not finite. */
double self_check_compare(const struct irrep_result *a, const struct irrep_result *b,
                          size_t n_atoms, double tolerance);

#endif
