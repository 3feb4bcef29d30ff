/* Symmetric 3x3 matrices and the frame of a cell, with the same bits on every processor. */
#ifndef CORE_DYNAMICS_SYMMETRIC3_H
#define CORE_DYNAMICS_SYMMETRIC3_H

/* Eigenvalues of a symmetric matrix, and its eigenvectors as the columns of u: a = u diag u^T.
 * Those of a diagonal matrix are the unit vectors, in their order. Jacobi's rotations: Golub and
 * Van Loan, Matrix Computations, 4th edition (2013), section 8.5. */
void symmetric3_eigen(const double a[3][3], double values[3], double u[3][3]);

/* exp(a) of a symmetric matrix; not the same memory. */
void symmetric3_exp(const double a[3][3], double out[3][3]);

/* Three orthonormal rows: along the first lattice vector, in the plane of the first two, and across
 * both. The rows of the cell must be linearly independent; not the same memory. */
void symmetric3_frame(const double cell[3][3], double out[3][3]);

#endif
