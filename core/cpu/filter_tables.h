/* The filters of a program as tables over distance.
 *
 * A filter depends on the distance alone, so at load it is cut into intervals, and in each becomes
 * the polynomial of degree 2 * n_points - 1 that has its values and derivatives at n_points evenly
 * spaced distances, both ends included. Neighbouring intervals agree in value and derivative, and
 * the derivative is that of the polynomial, so forces stay the exact gradient of the energy.
 * Coefficients are those of powers of the place in the interval, from -1 to 1: unlike tabulated
 * values, they keep the derivative's digits in float32.
 *
 * Distances are cut into segments of equal intervals, each halved until the error, measured between
 * the points, is below a bound: filters bend most at distances that atoms hardly ever have. Where a
 * cutoff is not smooth (r_on of XPLOR), one segment ends and the next begins. */
#ifndef CORE_CPU_FILTER_TABLES_H
#define CORE_CPU_FILTER_TABLES_H

#include "core/cpu/kernels/kernels.h"
#include "core/program/program.h"

#include <stdint.h>

#define TABLE_SEGMENTS_MAX 18

struct table_segment {
  double begin, end; /* Angstrom */
  size_t n_intervals;
  double per_length; /* intervals of an Angstrom */
  size_t first_row;  /* of a table; each interval has a row for each power */
};

struct filter_tables {
  size_t n_terms; /* powers, 2 * n_points; 0: there are no tables */
  size_t n_segments, n_rows;
  double per_length; /* segments of an Angstrom */
  struct table_segment segments[TABLE_SEGMENTS_MAX];
  size_t n_pairs;  /* of species with tables of their own; 1: all share one */
  size_t *offsets; /* [n_ops] of an operation's tables in data, in reals */
  void *data;      /* reals; the tables of an operation are [n_pairs][n_rows][n_columns] */
  size_t bytes;
  double error; /* the largest measured, over the size of its filter */
};

/* Makes the tables of all convolutions of a program.
 *   weights   in float64, for the kernels of float64
 *   kernels   of the precision that the tables are for
 * OK also when the filters cannot be tabulated in reasonable size and time: then n_terms is 0.
 * NO_MEMORY. Thread-safe.
 * The caller owns the tables (filter_tables_fini). */
enum irrep_status filter_tables_make(const struct program *program, const void *weights,
                                     const struct kernels *kernels, struct filter_tables *tables);

void filter_tables_fini(struct filter_tables *tables);

/* Reals of interpolation weights that an edge needs. */
size_t filter_tables_width(const struct filter_tables *tables);

/* Where one edge reads the tables.
 *   r        Angstrom, 0 < r < r_max
 *   weights  [filter_tables_width] for values, then for derivatives
 * Returns the first row of the first pair's table. Thread-safe. */
uint32_t filter_tables_locate(const struct filter_tables *tables, double r, double *weights);

#endif
