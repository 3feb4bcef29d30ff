/* Masses of the elements (irrep_atomic_mass, in irrep/md.h), and the masses of a structure. */
#ifndef CORE_DYNAMICS_MASSES_H
#define CORE_DYNAMICS_MASSES_H

#include "irrep/status.h"

#include <stddef.h>
#include <stdint.h>

/* Masses above it in u are refused. */
#define MASS_MAX 1e6

/* The masses of atoms in u: those that are given, or those of the elements where given is NULL.
 *   numbers     [n_atoms]
 *   given, out  [n_atoms]; may be the same
 * BAD_ARGUMENT: a mass that is not above 0 and finite; UNKNOWN_ELEMENT. */
enum irrep_status masses_of(size_t n_atoms, const int32_t *numbers, const double *given,
                            double *out, struct irrep_error *error);

#endif
