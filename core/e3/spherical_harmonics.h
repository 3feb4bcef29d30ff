/* Real spherical harmonics of conventions.h, with gradients. */
#ifndef CORE_E3_SPHERICAL_HARMONICS_H
#define CORE_E3_SPHERICAL_HARMONICS_H

#include <stddef.h>

/* Number of harmonics of degrees 0..l_max. */
#define HARMONICS(l_max) ((size_t)((l_max) + 1) * (size_t)((l_max) + 1))

/* Harmonics of the directions of n vectors, 'component' normalised: Y_00 = 1, and the sum over m of
 * Y_lm^2 is 2l+1.
 *   l_max    0..IRREP_L_MAX
 *   vectors  [n][3], any nonzero length
 *   y        [n][HARMONICS(l_max)], index l*l + l + m
 * Equals e3nn.o3.spherical_harmonics(range(l_max + 1), v, True, "component"). Thread-safe. */
void spherical_harmonics(int l_max, size_t n, const double *vectors, double *y);

/* The adjoint: gradients of a scalar with respect to the (unnormalised) vectors.
 *   vectors  [n][3]
 *   grad_y   [n][HARMONICS(l_max)]
 *   grad_v   [n][3], added to
 * Thread-safe. */
void spherical_harmonics_adjoint(int l_max, size_t n, const double *vectors, const double *grad_y,
                                 double *grad_v);

#endif
