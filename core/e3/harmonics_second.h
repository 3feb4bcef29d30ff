/* Second derivatives of the harmonics of spherical_harmonics.h. */
#ifndef CORE_E3_HARMONICS_SECOND_H
#define CORE_E3_HARMONICS_SECOND_H

/* The second derivatives of a weighted sum of harmonics by a vector's components.
 *   l_max    0..IRREP_L_MAX
 *   vector   [3], any nonzero length
 *   weights  [HARMONICS(l_max)]
 *   second   [3][3], symmetric, written
 * Thread-safe. */
void harmonics_second(int l_max, const double vector[3], const double *weights,
                      double second[3][3]);

#endif
