/* Elementary functions with the same bits on every processor: additions, multiplications, divisions
 * and square roots of IEEE 754, and nothing of a C library, whose functions differ between
 * versions and processors. Within 2 units in the last place. Thread-safe. */
#ifndef CORE_DYNAMICS_ELEMENTARY_H
#define CORE_DYNAMICS_ELEMENTARY_H

/* e^x; 0 and infinity beyond the range, NaN for NaN. */
double elementary_exp(double x);

/* (e^x - 1) / x, 1 at 0. */
double elementary_exprel(double x);

/* The natural logarithm; -infinity at 0, NaN below and for NaN. */
double elementary_log(double x);

/* The cube root of a positive number. */
double elementary_cbrt(double x);

/* sin and cos of 2 pi u, 0 <= u < 1. */
void elementary_sincos(double u, double *sine, double *cosine);

#endif
