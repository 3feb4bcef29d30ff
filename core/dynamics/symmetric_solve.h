/* Dense symmetric systems with one right-hand side, by loops of a fixed order: unlike those of a
 * LAPACK, their bits depend on nothing but the numbers. */
#ifndef CORE_DYNAMICS_SYMMETRIC_SOLVE_H
#define CORE_DYNAMICS_SYMMETRIC_SOLVE_H

#include <stdbool.h>
#include <stddef.h>

/* Solves matrix x = right by Cholesky's factors (Golub and Van Loan, Matrix Computations, algorithm
 * 4.2.2).
 *   matrix  [n][n], of which the upper triangle is read
 *   factor  [n][n] scratch
 *   x       [n]; may be right
 * false: the matrix is not positive definite, or close to that; then x means nothing. */
bool symmetric_solve_definite(size_t n, const double *matrix, const double *right, double *factor,
                              double *x);

/* Solves |matrix| x = right, where |.| has the eigenvectors of the matrix and the absolute values
 * of its eigenvalues: Householder's reduction to a tridiagonal matrix (ibid., algorithm 8.3.1),
 * then the implicit QL iteration (Bowdler, Martin, Reinsch and Wilkinson, Numer. Math. 11, 293
 * (1968)). matrix   [n][n], destroyed scratch  [n][n + 3] x        [n]; may be right false: the
 * iteration does not converge, which numbers that are not finite bring about. */
bool symmetric_solve_absolute(size_t n, double *matrix, const double *right, double *scratch,
                              double *x);

#endif
