/* 3x3 matrices and their functions, by additions, products, quotients and roots alone, so that the
 * bits are those of IEEE arithmetic on any processor. Outputs are none of the inputs. */
#ifndef CORE_DYNAMICS_MATRIX3_H
#define CORE_DYNAMICS_MATRIX3_H

#include <stdbool.h>

typedef double matrix3[3][3];

/* The matrix of ones on the diagonal. */
void matrix3_identity(double out[3][3]);

void matrix3_multiply(const double a[3][3], const double b[3][3], double out[3][3]);
void matrix3_transpose(const double a[3][3], double out[3][3]);
double matrix3_determinant(const double a[3][3]);

/* The root of the sum of squares. */
double matrix3_norm(const double a[3][3]);

/* false: singular, or not finite. */
bool matrix3_inverse(const double a[3][3], double out[3][3]);

/* exp(a), and where derivative is not NULL the derivative of exp at a in a direction:
 * d/dt exp(a + t direction) at t = 0. Scaling and squaring of the Taylor series and of its
 * derivative: Al-Mohy and Higham, SIAM J. Matrix Anal. Appl. 30, 1639 (2009), eqs. (3.1) and (1.4).
 * false: a is not finite or its norm is above 100. */
bool matrix3_exp(const double a[3][3], const double direction[3][3], double out[3][3],
                 double derivative[3][3]);

/* The principal logarithm, by inverse scaling and squaring (Higham, Functions of Matrices, SIAM
 * (2008), algorithm 11.10, with the series of artanh for its Pade approximants) and square roots by
 * the product form of Denman and Beavers's iteration (ibid., eq. 6.29). false: an eigenvalue is on
 * the closed negative real axis, or a is not finite or too near to that. */
bool matrix3_log(const double a[3][3], double out[3][3]);

#endif
