/* Wigner 3j symbols, coupling tables and Wigner D matrices in the real basis of conventions.h
 * (e3nn's). */
#ifndef CORE_E3_WIGNER_H
#define CORE_E3_WIGNER_H

#include "irrep/conventions.h"
#include "irrep/status.h"

#include <stddef.h>

#define WIGNER_DIM_MAX (2 * IRREP_L_MAX + 1)

/* One nonzero coupling coefficient: out[m3] += c * a[m1] * b[m2], with m counted from 0 to 2l. */
struct coupling_term {
  int m1, m2, m3;
  double c;
};

#define COUPLING_TERMS_MAX (WIGNER_DIM_MAX * WIGNER_DIM_MAX * WIGNER_DIM_MAX)

/* Writes the real 3j symbol, w3j [2*l1+1][2*l2+1][2*l3+1], sum of squares 1, sign as
 * e3nn.o3.wigner_3j of version 0.6 (0.4.4 has the other sign for some of odd l1+l2+l3, which the
 * converter of MACE turns around). Exact to a few units in the last place: entries that vanish by
 * symmetry are exactly zero.
 * BAD_ARGUMENT unless 0 <= l <= IRREP_L_MAX and |l1-l2| <= l3 <= l1+l2. Thread-safe.
 * Racah's formula for the complex symbols (Varshalovich 8.2.1), then the change to real
 * harmonics. */
enum irrep_status wigner_3j(int l1, int l2, int l3, double *w3j);

/* Writes the nonzero terms of sqrt(2*l3+1) * 3j, ordered by (m3, m1, m2), and their number.
 *   terms [COUPLING_TERMS_MAX]
 * BAD_ARGUMENT as wigner_3j. Thread-safe. */
enum irrep_status coupling_terms(int l1, int l2, int l3, struct coupling_term *terms,
                                 size_t *n_terms);

/* Writes D [2l+1][2l+1] such that Y_l(R v) = D Y_l(v) for every vector v, with R a rotation matrix
 * [3][3] (row-major, v as a column). BAD_ARGUMENT when l is out of range or R is not a rotation to
 * 1e-6. Thread-safe. */
enum irrep_status wigner_d(int l, const double rotation[3][3], double *d);

#endif
