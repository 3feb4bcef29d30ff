/* Polynomials through values and derivatives: the interpolation of tabulated filters. */
#ifndef CORE_NN_HERMITE_H
#define CORE_NN_HERMITE_H

#include <stddef.h>

#define HERMITE_POINTS_MAX 4
#define HERMITE_TERMS_MAX (2 * HERMITE_POINTS_MAX)

/* The matrix from values and derivatives at n evenly spaced points of [-1, 1], both ends included,
 * to the coefficients of the polynomial p(s) = sum over k of c_k s^k of degree 2n-1 that has them.
 *   n       2..HERMITE_POINTS_MAX
 *   matrix  [2n][2n]: c_k = sum over i of matrix[k][2i] p(s_i) + matrix[k][2i+1] p'(s_i)
 * Thread-safe. Davis, Interpolation and Approximation (1975), section 2.5. */
void hermite_matrix(size_t n, double *matrix);

#endif
