/* Second derivatives of radial embeddings and of pair repulsion. */
#ifndef CORE_NN_RADIAL_SECOND_H
#define CORE_NN_RADIAL_SECOND_H

#include "core/nn/pair_repulsion.h"
#include "core/nn/radial.h"

#include <stdint.h>

/* The second derivatives by r of what radial_embedding gives, [RADIAL_WIDTH]; its arguments.
 * Thread-safe. */
void radial_second(const struct radial *radial, size_t pair, double r, double *second);

/* The second derivative by r of what pair_repulsion gives, eV/Angstrom^2; its arguments.
 * Thread-safe. */
double pair_repulsion_second(const struct pair_repulsion *pair, uint32_t receiver, uint32_t sender,
                             double r);

#endif
