/* Lengths of steps, which every optimizer looks at. */
#ifndef CORE_DYNAMICS_STEP_LENGTH_H
#define CORE_DYNAMICS_STEP_LENGTH_H

#include <stddef.h>

/* The sum of products, as four sums of every fourth: the order is part of the bits. */
double optimizer_dot(const double *a, const double *b, size_t n);

/* The length of the longest row of three. */
double optimizer_longest(const double *rows, size_t n);

/* The step that maximum allows in its length or, by rows, in that of its longest row. */
void optimizer_limit(double *step, size_t n, double length, double maximum);

#endif
