/* Second derivatives of a program's energy by tangents: forward mode over the adjoints. A direction
 * moves one atom; the tangent of each operation, and that of its adjoint, carry it through the
 * program, and what comes out are the derivatives of all gradients along it: a row of the Hessian.
 *
 * It runs a program whose tensors all have places of their own, in double and with filters that are
 * computed, over the batch of a single structure:
 *
 *   tangents_supports   whether every operation has a tangent
 *   tangents_take       the arrays
 *   tangents_prepare    energies and gradients, and what all rows share
 *   tangents_row        one row
 *
 * Operations with a tangent are in tangent_NAME.c, most of them plain loops; linear maps and
 * convolutions are their own tangents, by the kernels of evaluation. Pearlmutter, Neural
 * Computation 6, 147 (1994); Griewank and Walther, Evaluating Derivatives (2008), chapter 5. */
#ifndef CORE_CPU_TANGENTS_H
#define CORE_CPU_TANGENTS_H

#include "core/cpu/evaluate.h"

/* The filters of an operation's edges, with two derivatives by distance: [n_edges][n_columns]. */
struct tangent_filters {
  double *values, *first, *second; /* NULL: the operation has none */
};

/* Edges whose vectors the direction changes: those that the atom receives or sends, but not those
 * to its own images; in the order of edges. */
struct tangent_edges {
  size_t n;
  uint32_t *edges, *senders, *receivers; /* [n], with room for all edges */
  double *signs;                         /* [n] 1 where the atom receives, -1 where it sends */
  double *slopes;                        /* [n] derivative of the edge's length */
  size_t axis;                           /* of the coordinate that moves */
};

struct tangents {
  const struct executable *executable; /* without tables */
  struct workspace base;    /* energies, features and gradients; the batch, without ghosts */
  struct workspace tangent; /* their derivatives; what has none is that of the base */
  double *jacobian;         /* [n_edges][HARMONICS(l_max)][3] of the harmonics by the vector */
  double *curvature;        /* [n_edges][3][3] second derivatives by the vector, at what the program
                               gives for harmonics and distance */
  struct tangent_filters *filters; /* [n_ops] */
  struct tangent_edges edges;
  double *by_atom;                           /* [4][n_atoms] of an operation */
  double *strips;                            /* [4][MESSAGE_TILE][columns_max] */
  double *strip_harmonics, *strip_gradients; /* [2][MESSAGE_TILE][HARMONICS(l_max)] each */
  double *embedding;                         /* [3][RADIAL_WIDTH] */
  double *filter_scratch;
};

/* A program's copy whose tensors have places of their own; the rest is the program's. */
struct unfolded {
  struct program program;
  struct tensor *tensors; /* [n_tensors], the caller's */
};
void unfolded_make(struct unfolded *unfolded, const struct program *program);

bool tangents_supports(const struct program *program);

/* Takes the arrays for an unfolded program and the sizes of one structure, the batch's excepted;
 * check arena->failed. */
void tangents_take(struct tangents *tangents, const struct executable *executable,
                   struct arena *arena, const struct irrep_plan *size);

/* Evaluates the batch of tangents->base, which has been filled, and what all rows share.
 *   slopes      [n_edges] of the energy by the edges' lengths, beside the program's
 *   curvatures  [n_edges] their second derivatives; both may be NULL */
void tangents_prepare(struct tangents *tangents, const double *slopes, const double *curvatures);

/* Writes row [n_atoms][3], the derivatives of the energy's gradient by a coordinate (0, 1, 2) of an
 * atom, eV/Angstrom^2. */
void tangents_row(struct tangents *tangents, size_t atom, size_t axis, double *row);

#endif
