/* Goes through the bins of a grid that are within reach of one of its atoms: what every search over
 * pairs of atoms is made of. Bins come in lexicographic order of the whole crystal, as stretches of
 * the grid's table. All of it is inline, so that whoever visits has its functions called directly,
 * or not at all: they are run for every few atoms. */
#ifndef CORE_GRAPH_VISIT_H
#define CORE_GRAPH_VISIT_H

#include "core/graph/grid.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reach beyond a cutoff, relative, that covers the rounding of the visit's own arithmetic. */
#define VISIT_REACH_MARGIN 1e-6

/* The bins [slice[0]] [slice[1]] [low..high] of one period, with that period. */
struct visit_run {
  double period[3];
  int64_t slice[2];
  int64_t low, high;
  size_t entry; /* of the grid's table, the first of high - low + 1 consecutive ones */
};

struct visit {
  const struct grid *grid;
  double reach; /* Angstrom: the cutoff, and what the places in the grid may be off */
  void *context;

  /* Rows of bins looked at, to which `run` may add. */
  uint64_t work;

  /* The atom under way, and where it lies in the grid: the visit's own. */
  const struct grid_atom *at;
  double place[3];
};

/* Who visits. Both are constants where visit_around is called. */
struct visitor {
  /* Takes the atoms of a run; false ends the visit. */
  bool (*run)(struct visit *visit, const struct visit_run *run);

  /* Called between rows of bins; false ends the visit. */
  bool (*go_on)(struct visit *visit);
};

/* Where the atom under way lies as seen from a run's period. */
static inline void visit_point(const struct visit *visit, const struct visit_run *run,
                               double point[3]) {
  const struct grid *grid = visit->grid;
  for (size_t k = 0; k < 3; k++)
    point[k] =
        visit->place[k] - (run->period[0] * grid->cell[0][k] + run->period[1] * grid->cell[1][k] +
                           run->period[2] * grid->cell[2][k]);
}

/* Whether an atom that shares an entry of the table really lies in the run. */
static inline bool visit_holds(const struct visit_run *run, const struct grid_atom *atom) {
  return atom->slice[0] == run->slice[0] && atom->slice[1] == run->slice[1] &&
         atom->slice[2] >= run->low && atom->slice[2] <= run->high;
}

/* The inside of visit_around */

struct visit_interval {
  double low, high;
};

/* floor(a / b) for b > 0; a is nearly always within the first period, and division is slow. */
static inline int64_t visit_floor_divide(int64_t a, int64_t b) {
  return a >= 0 && a < b ? 0 : a / b - (a % b < 0);
}

static inline int64_t visit_modulo(int64_t a, int64_t b) {
  return a < b ? a : a % b;
}

/* Hands on the bins of a row that are contiguous in the table. */
static inline __attribute__((always_inline)) bool
visit_stretch(struct visit *visit, const struct visitor visitor, struct visit_run *run) {
  const struct grid_axis *axis = visit->grid->axis;
  run->entry = (size_t)((visit_modulo(run->slice[0], axis[0].folded) * axis[1].folded +
                         visit_modulo(run->slice[1], axis[1].folded)) *
                            axis[2].folded +
                        visit_modulo(run->low, axis[2].folded));
  return visitor.run(visit, run);
}

/* floor(x), held to what loops and comparisons can take. */
static inline int64_t visit_floor_integer(double x) {
  x = x > -0x1p62 ? (x < 0x1p62 ? x : 0x1p62) : -0x1p62;
  int64_t i = (int64_t)x;
  return i - (x < (double)i);
}

/* The bins along an axis at which something may be within `reach` of the atom, when the axes
 * before it have moved by `offset` along the frame's vector of this axis. */
static inline void visit_bins(const struct visit *visit, size_t k, double reach,
                              struct visit_interval offset, int64_t *low, int64_t *high) {
  const struct grid_axis *axis = &visit->grid->axis[k];
  double at = visit->at->bin[k], per_length = visit->grid->per_length[k];
  *low = visit_floor_integer(at + (-reach - offset.high) * per_length);
  *high = visit_floor_integer(at + (reach - offset.low) * per_length);
  if (axis->periodic)
    return;
  *low = *low > 0 ? *low : 0;
  *high = *high < axis->bins ? *high : axis->bins - 1;
}

static inline struct visit_interval visit_add_scaled(struct visit_interval a,
                                                     struct visit_interval b, double factor) {
  double x = b.low * factor, y = b.high * factor;
  return (struct visit_interval){a.low + (x < y ? x : y), a.high + (x < y ? y : x)};
}

/* The cutoff that is left in the other directions beyond a displacement in the given interval. */
static inline double visit_reach_beyond(double reach, struct visit_interval displacement) {
  double gap = displacement.low > 0 ? displacement.low : -displacement.high;
  return gap <= 0 ? reach : gap < reach ? sqrt(reach * reach - gap * gap) : 0;
}

/* A bin of the whole crystal: its period, and its slice there. Division is slow, so that bins are
 * counted up. */
struct visit_place {
  int64_t period, slice;
};

static inline struct visit_place visit_place_of(int64_t bin, int64_t bins) {
  const int64_t period = visit_floor_divide(bin, bins);
  return (struct visit_place){period, bin - period * bins};
}

static inline void visit_advance(struct visit_place *place, int64_t by, int64_t bins) {
  place->slice += by;
  if (place->slice == bins)
    *place = (struct visit_place){place->period + 1, 0};
}

/* The bins low..high along the last axis, by period and by stretch of the table. */
static inline __attribute__((always_inline)) bool visit_row(struct visit *visit,
                                                            const struct visitor visitor,
                                                            struct visit_run row, int64_t low,
                                                            int64_t high) {
  const struct grid_axis *axis = &visit->grid->axis[2];
  struct visit_place place = visit_place_of(low, axis->bins);
  while (low <= high) {
    int64_t stretch = axis->folded - visit_modulo(place.slice, axis->folded);
    stretch = stretch < axis->bins - place.slice ? stretch : axis->bins - place.slice;
    stretch = stretch < high - low + 1 ? stretch : high - low + 1;
    row.period[2] = (double)place.period;
    row.low = place.slice;
    row.high = place.slice + stretch - 1;
    if (!visit_stretch(visit, visitor, &row))
      return false;
    low += stretch;
    visit_advance(&place, stretch, axis->bins);
  }
  return true;
}

/* The bins along the second axis, with that along the first one in row. */
static inline __attribute__((always_inline)) bool visit_slice(struct visit *visit,
                                                              const struct visitor visitor,
                                                              struct visit_run row,
                                                              struct visit_interval moved0) {
  const struct grid *grid = visit->grid;
  const struct grid_axis *axis = &grid->axis[1];
  struct visit_interval none = {0, 0};
  double reach = visit_reach_beyond(visit->reach, visit_add_scaled(none, moved0, grid->step[0][0]));
  struct visit_interval offset1 = visit_add_scaled(none, moved0, grid->step[0][1]);
  struct visit_interval offset2 = visit_add_scaled(none, moved0, grid->step[0][2]);
  int64_t low, high, low2, high2;
  visit_bins(visit, 1, reach, offset1, &low, &high);
  struct visit_place place = visit_place_of(low, axis->bins);
  for (int64_t bin = low; bin <= high; bin++, visit_advance(&place, 1, axis->bins)) {
    double first = (double)bin - visit->at->bin[1];
    struct visit_interval moved = {first, first + 1};
    double left = visit_reach_beyond(reach, visit_add_scaled(offset1, moved, grid->step[1][1]));
    visit_bins(visit, 2, left, visit_add_scaled(offset2, moved, grid->step[1][2]), &low2, &high2);
    row.period[1] = (double)place.period;
    row.slice[1] = place.slice;
    visit->work++;
    if (!visit_row(visit, visitor, row, low2, high2) || !visitor.go_on(visit))
      return false;
  }
  return true;
}

/* Visits the bins within reach of the atom in a slot of the grid. Returns false where it was ended.
 */
static inline __attribute__((always_inline)) bool
visit_around(struct visit *visit, const struct visitor visitor, size_t slot) {
  const struct grid *grid = visit->grid;
  const struct grid_axis *axis = &grid->axis[0];
  struct visit_run row = {0};
  int64_t low, high;
  visit->at = &grid->atoms[slot];
  for (size_t k = 0; k < 3; k++)
    visit->place[k] = grid->place[k][slot];
  visit_bins(visit, 0, visit->reach, (struct visit_interval){0, 0}, &low, &high);
  for (int64_t bin = low; bin <= high; bin++) {
    double first = (double)bin - visit->at->bin[0];
    int64_t period = visit_floor_divide(bin, axis->bins);
    row.period[0] = (double)period;
    row.slice[0] = bin - period * axis->bins;
    visit->work++;
    if (!visit_slice(visit, visitor, row, (struct visit_interval){first, first + 1}) ||
        !visitor.go_on(visit))
      return false;
  }
  return true;
}

#endif
