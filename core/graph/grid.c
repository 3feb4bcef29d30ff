#include "core/graph/grid.h"

#include "core/graph/basis.h"
#include "core/graph/vector3.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Below this many atoms, looking at all of them is cheaper than looking up bins. */
#define ATOMS_BINNED_MIN 17

#define BINS_MAX 1e9

void grid_take(struct grid *grid, size_t n_atoms, struct arena *arena) {
  size_t entries = size_add(size_mul(2, n_atoms), GRID_TABLE_SPARE);
  grid->n_atoms = n_atoms;
  grid->table = arena_take(arena, size_add(entries, 1), sizeof *grid->table);
  grid->atoms = arena_take(arena, n_atoms, sizeof *grid->atoms);
  for (size_t k = 0; k < 3; k++)
    grid->place[k] = arena_take(arena, n_atoms, sizeof *grid->place[k]);
  grid->slot = arena_take(arena, n_atoms, sizeof *grid->slot);
}

/* The frame */

/* Components of one bin along each axis in the frame of grid.h, made by Gram-Schmidt from the last
 * axis on; the second pass keeps the frame orthogonal when the axes nearly coincide. */
static void set_steps(struct grid *grid, double basis[3][3], const double bins_per_unit[3]) {
  double frame[3][3];
  memcpy(frame, basis, sizeof frame);
  vector3_normalise(frame[2]);
  for (int pass = 0; pass < 2; pass++) {
    vector3_subtract(frame[1], vector3_dot(frame[1], frame[2]), frame[2]);
    vector3_normalise(frame[1]);
  }
  vector3_cross(frame[1], frame[2], frame[0]);
  for (size_t k = 0; k < 3; k++)
    for (size_t j = 0; j < 3; j++)
      grid->step[k][j] = j < k ? 0 : vector3_dot(basis[k], frame[j]) / bins_per_unit[k];
  grid->step[0][0] = fabs(grid->step[0][0]);
  for (size_t k = 0; k < 3; k++)
    grid->per_length[k] = 1 / grid->step[k][k];
}

/* Numbers of bins */

/* Lowest and highest coordinate along an axis. */
static void extent(const struct irrep_structure *structure, const double dual[3], double *low,
                   double *high) {
  *low = *high = vector3_dot(dual, structure->positions);
  for (size_t i = 1; i < structure->n_atoms; i++) {
    double x = vector3_dot(dual, structure->positions + 3 * i);
    *low = x < *low ? x : *low;
    *high = x > *high ? x : *high;
  }
}

/* Slices of an axis that is `length` long, heights measured across the slices. */
static int64_t bins_along(double length, double thickness, size_t n_atoms) {
  double bins = length / thickness;
  if (n_atoms < ATOMS_BINNED_MIN || !(bins > 1))
    return 1;
  return (int64_t)(bins < BINS_MAX ? bins : BINS_MAX);
}

/* Halves the longest axis of the table until it is small enough. */
static void fold(struct grid *grid) {
  struct grid_axis *axis = grid->axis;
  double entries = 2 * (double)grid->n_atoms + GRID_TABLE_SPARE;
  while ((double)axis[0].folded * (double)axis[1].folded * (double)axis[2].folded > entries) {
    size_t longest = axis[1].folded > axis[0].folded ? 1 : 0;
    longest = axis[2].folded > axis[longest].folded ? 2 : longest;
    axis[longest].folded = (axis[longest].folded + 1) / 2;
  }
}

/* Atoms */

/* How coordinates along the axes count in bins: bin = (coordinate - origin) * bins_per_unit. */
struct scale {
  double basis[3][3], dual[3][3], origin[3], bins_per_unit[3];
};

static struct scale set_axes(struct grid *grid, const struct irrep_structure *structure,
                             double thickness) {
  struct scale scale = {0};
  basis_complete(structure->cell, structure->pbc, scale.basis);
  basis_dual(scale.basis, scale.dual);
  for (size_t k = 0; k < 3; k++) {
    struct grid_axis *axis = &grid->axis[k];
    double length = 1 / vector3_length(scale.dual[k]), high = 0, unit = 1;
    if (!axis->periodic) {
      extent(structure, scale.dual[k], &scale.origin[k], &high);
      length = high - scale.origin[k];
      /* Flat structures have one slice as thick as any: 1/length could be anything. */
      unit = length > thickness ? length : thickness;
    }
    axis->bins = axis->folded = bins_along(length, thickness, structure->n_atoms);
    scale.bins_per_unit[k] = (double)axis->bins / unit;
  }
  set_steps(grid, scale.basis, scale.bins_per_unit);
  fold(grid);
  return scale;
}

/* Finds an atom's period, bin and place; returns how far bin and place may be off, in Angstrom. */
static double locate(const struct grid *grid, const struct scale *scale, const double position[3],
                     struct grid_atom *atom, double place[3]) {
  double size = 0, off = 0, coordinate[3];
  memcpy(place, position, 3 * sizeof *place);
  for (size_t k = 0; k < 3; k++) {
    const struct grid_axis *axis = &grid->axis[k];
    coordinate[k] = vector3_dot(scale->dual[k], position);
    atom->period[k] = axis->periodic ? floor(coordinate[k]) : 0;
    coordinate[k] -= atom->period[k];
    atom->bin[k] = (coordinate[k] - scale->origin[k]) * scale->bins_per_unit[k];
    int64_t slice = (int64_t)atom->bin[k];
    atom->slice[k] = (int32_t)(slice < axis->bins ? slice : axis->bins - 1);
    for (size_t j = 0; j < 3; j++) {
      place[j] -= atom->period[k] * grid->cell[k][j];
      size += fabs(position[j]) + fabs(atom->period[k] * grid->cell[k][j]);
    }
  }
  for (size_t j = 0; j < 3; j++)
    off += fabs(place[j] - coordinate[0] * scale->basis[0][j] - coordinate[1] * scale->basis[1][j] -
                coordinate[2] * scale->basis[2][j]);
  return off + 16 * DBL_EPSILON * size;
}

static size_t entry_of(const struct grid *grid, const struct grid_atom *atom) {
  const struct grid_axis *axis = grid->axis;
  int64_t entry = atom->slice[0] % axis[0].folded;
  entry = entry * axis[1].folded + atom->slice[1] % axis[1].folded;
  return (size_t)(entry * axis[2].folded + atom->slice[2] % axis[2].folded);
}

/* Counting sort by entry, in two passes over the atoms. */
static void sort_atoms(struct grid *grid, const struct scale *scale,
                       const struct irrep_structure *structure) {
  const struct grid_axis *axis = grid->axis;
  size_t entries = (size_t)(axis[0].folded * axis[1].folded * axis[2].folded);
  struct grid_atom atom = {0};
  double place[3];
  memset(grid->table, 0, (entries + 1) * sizeof *grid->table);
  grid->slack = 0;
  for (size_t i = 0; i < grid->n_atoms; i++) {
    double off = locate(grid, scale, structure->positions + 3 * i, &atom, place);
    grid->slack = off > grid->slack ? off : grid->slack;
    size_t entry = entry_of(grid, &atom);
    grid->slot[i] = (uint32_t)entry;
    grid->table[entry]++;
  }
  for (size_t entry = 0, sum = 0; entry <= entries; entry++) {
    size_t count = grid->table[entry];
    grid->table[entry] = (uint32_t)sum;
    sum += count;
  }
  for (size_t i = 0; i < grid->n_atoms; i++) {
    uint32_t slot = grid->table[grid->slot[i]]++;
    locate(grid, scale, structure->positions + 3 * i, &atom, place);
    atom.index = (uint32_t)i;
    grid->slot[i] = slot;
    grid->atoms[slot] = atom;
    for (size_t k = 0; k < 3; k++)
      grid->place[k][slot] = place[k];
  }
  /* The second pass has moved each entry's start to its end. */
  memmove(grid->table + 1, grid->table, entries * sizeof *grid->table);
  grid->table[0] = 0;
}

void grid_build(struct grid *grid, const struct irrep_structure *structure, double thickness) {
  for (size_t k = 0; k < 3; k++) {
    grid->axis[k].periodic = structure->pbc[k];
    for (size_t j = 0; j < 3; j++)
      grid->cell[k][j] = structure->pbc[k] ? structure->cell[k][j] : 0;
  }
  struct scale scale = set_axes(grid, structure, thickness);
  sort_atoms(grid, &scale, structure);
}
