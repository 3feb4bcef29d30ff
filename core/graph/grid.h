/* Atoms in bins, for the neighbour search: folded into the cell, sorted, and found by bin.
 *
 * Every axis counts in bins. Along a periodic axis the cell has `bins` slices of equal thickness;
 * bin B of the whole crystal is slice B mod bins of the period floor(B / bins). Along an open axis,
 * orthogonal to the periodic ones, the slices divide the extent of the atoms, and there is one
 * period. The table keeps at most 2 n_atoms + GRID_TABLE_SPARE entries: where the slices are more
 * than that, slices that are `folded` apart share an entry, so that far-flung atoms cost no memory
 * and crowds stay apart. */
#ifndef CORE_GRAPH_GRID_H
#define CORE_GRAPH_GRID_H

#include "core/base/arena.h"
#include "irrep/structure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRID_TABLE_SPARE 8

struct grid_axis {
  bool periodic;
  int64_t bins;   /* slices in one period */
  int64_t folded; /* table entries along this axis, at most bins */
};

/* One atom, in the order of the table. */
struct grid_atom {
  double bin[3];    /* its place in its period, in bins: 0 <= bin[k] <= bins */
  double period[3]; /* the period that it lies in: position = place in period 0 + period . cell */
  int32_t slice[3]; /* floor of bin, at most bins - 1 */
  uint32_t index;   /* in the structure */
};

struct grid {
  size_t n_atoms;
  double cell[3][3]; /* rows of open axes are zero */
  struct grid_axis axis[3];

  /* One bin along axis k is the vector step[k] in an orthonormal frame in which step[k][j] = 0 for
   * j < k and step[k][k] > 0. */
  double step[3][3];
  double per_length[3]; /* 1 / step[k][k] */

  /* Bounds the error of place (and of bin) against the exact place of an atom, in Angstrom. */
  double slack;

  uint32_t *table;         /* [entries + 1] first atom of each entry; the last axis runs fastest */
  struct grid_atom *atoms; /* [n_atoms] sorted by entry, then by index */
  double *place[3];        /* [n_atoms] each: x, y, z in period 0, Angstrom */
  uint32_t *slot;          /* [n_atoms] where atom i of the structure is in atoms */
};

/* Takes the grid's arrays for n_atoms atoms from an arena (which may be counting). */
void grid_take(struct grid *grid, size_t n_atoms, struct arena *arena);

/* Fills a grid from a checked structure, with slices about as thick as `thickness` (Angstrom) or
 * one slice an axis when that is cheaper. r_max does not enter. Allocates nothing, linear in atoms.
 * Thread-safe. */
void grid_build(struct grid *grid, const struct irrep_structure *structure, double thickness);

#endif
