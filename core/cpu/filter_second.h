/* The filters of edges with two derivatives by distance, in double: what kernels/filter.c computes,
 * and one more. A plain loop: once for a structure whose second derivatives are wanted. */
#ifndef CORE_CPU_FILTER_SECOND_H
#define CORE_CPU_FILTER_SECOND_H

#include "core/program/parameters.h"

#include <stddef.h>
#include <stdint.h>

/* Doubles of scratch. */
size_t filter_second_scratch(const struct filter *op);

/* The filters of one edge.
 *   weights    of the program, in double
 *   pair       of species: receiver * n_species + sender
 *   embedding  [3][n_basis + 1] radial basis and envelope, and their derivatives by distance
 *   n_columns  of out, padded
 *   out        [3] filters and their derivatives, each [n_columns]
 *   scratch    [filter_second_scratch]
 * Thread-safe. */
void filter_second(const struct filter *op, const double *weights, size_t pair,
                   const double *embedding, size_t n_columns, double *const out[3],
                   double *scratch);

#endif
