#include "core/graph/visit.h"

#include <math.h>

struct interval {
  double low, high;
};

/* floor(a / b) for b > 0; a is nearly always within the first period, and division is slow. */
static int64_t floor_divide(int64_t a, int64_t b) {
  return a >= 0 && a < b ? 0 : a / b - (a % b < 0);
}

static int64_t modulo(int64_t a, int64_t b) {
  return a < b ? a : a % b;
}

/* Hands on the bins of a row that are contiguous in the table. */
static bool visit_stretch(struct visit *visit, struct visit_run *run) {
  const struct grid_axis *axis = visit->grid->axis;
  run->entry = (size_t)((modulo(run->slice[0], axis[0].folded) * axis[1].folded +
                         modulo(run->slice[1], axis[1].folded)) *
                            axis[2].folded +
                        modulo(run->low, axis[2].folded));
  return visit->run(visit, run);
}

/* floor(x), held to what loops and comparisons can take. */
static int64_t floor_integer(double x) {
  x = x > -0x1p62 ? (x < 0x1p62 ? x : 0x1p62) : -0x1p62;
  int64_t i = (int64_t)x;
  return i - (x < (double)i);
}

/* The bins along an axis at which something may be within `reach` of the atom, when the axes
 * before it have moved by `offset` along the frame's vector of this axis. */
static void bins_within(const struct visit *visit, size_t k, double reach, struct interval offset,
                        int64_t *low, int64_t *high) {
  const struct grid_axis *axis = &visit->grid->axis[k];
  double at = visit->at->bin[k], per_length = 1 / visit->grid->step[k][k];
  *low = floor_integer(at + (-reach - offset.high) * per_length);
  *high = floor_integer(at + (reach - offset.low) * per_length);
  if (axis->periodic)
    return;
  *low = *low > 0 ? *low : 0;
  *high = *high < axis->bins ? *high : axis->bins - 1;
}

static struct interval add_scaled(struct interval a, struct interval b, double factor) {
  double x = b.low * factor, y = b.high * factor;
  return (struct interval){a.low + (x < y ? x : y), a.high + (x < y ? y : x)};
}

/* The cutoff that is left in the other directions beyond a displacement in the given interval. */
static double reach_beyond(double reach, struct interval displacement) {
  double gap = displacement.low > 0 ? displacement.low : -displacement.high;
  return gap <= 0 ? reach : gap < reach ? sqrt(reach * reach - gap * gap) : 0;
}

/* A bin of the whole crystal: its period, and its slice there. Division is slow, so that bins are
 * counted up. */
struct place {
  int64_t period, slice;
};

static struct place place_of(int64_t bin, int64_t bins) {
  const int64_t period = floor_divide(bin, bins);
  return (struct place){period, bin - period * bins};
}

static void advance(struct place *place, int64_t by, int64_t bins) {
  place->slice += by;
  if (place->slice == bins)
    *place = (struct place){place->period + 1, 0};
}

/* The bins low..high along the last axis, by period and by stretch of the table. */
static bool visit_row(struct visit *visit, struct visit_run row, int64_t low, int64_t high) {
  const struct grid_axis *axis = &visit->grid->axis[2];
  struct place place = place_of(low, axis->bins);
  while (low <= high) {
    int64_t stretch = axis->folded - modulo(place.slice, axis->folded);
    stretch = stretch < axis->bins - place.slice ? stretch : axis->bins - place.slice;
    stretch = stretch < high - low + 1 ? stretch : high - low + 1;
    row.period[2] = (double)place.period;
    row.low = place.slice;
    row.high = place.slice + stretch - 1;
    if (!visit_stretch(visit, &row))
      return false;
    low += stretch;
    advance(&place, stretch, axis->bins);
  }
  return true;
}

/* The bins along the second axis, with that along the first one in row. */
static bool visit_slice(struct visit *visit, struct visit_run row, struct interval moved0) {
  const struct grid *grid = visit->grid;
  const struct grid_axis *axis = &grid->axis[1];
  struct interval none = {0, 0};
  double reach = reach_beyond(visit->reach, add_scaled(none, moved0, grid->step[0][0]));
  struct interval offset1 = add_scaled(none, moved0, grid->step[0][1]);
  struct interval offset2 = add_scaled(none, moved0, grid->step[0][2]);
  int64_t low, high, low2, high2;
  bins_within(visit, 1, reach, offset1, &low, &high);
  struct place place = place_of(low, axis->bins);
  for (int64_t bin = low; bin <= high; bin++, advance(&place, 1, axis->bins)) {
    double first = (double)bin - visit->at->bin[1];
    struct interval moved = {first, first + 1};
    double left = reach_beyond(reach, add_scaled(offset1, moved, grid->step[1][1]));
    bins_within(visit, 2, left, add_scaled(offset2, moved, grid->step[1][2]), &low2, &high2);
    row.period[1] = (double)place.period;
    row.slice[1] = place.slice;
    visit->work++;
    if (!visit_row(visit, row, low2, high2) || !visit->go_on(visit))
      return false;
  }
  return true;
}

bool visit_around(struct visit *visit, size_t slot) {
  const struct grid *grid = visit->grid;
  const struct grid_axis *axis = &grid->axis[0];
  struct visit_run row = {0};
  int64_t low, high;
  visit->at = &grid->atoms[slot];
  for (size_t k = 0; k < 3; k++)
    visit->place[k] = grid->place[k][slot];
  bins_within(visit, 0, visit->reach, (struct interval){0, 0}, &low, &high);
  for (int64_t bin = low; bin <= high; bin++) {
    double first = (double)bin - visit->at->bin[0];
    int64_t period = floor_divide(bin, axis->bins);
    row.period[0] = (double)period;
    row.slice[0] = bin - period * axis->bins;
    visit->work++;
    if (!visit_slice(visit, row, (struct interval){first, first + 1}) || !visit->go_on(visit))
      return false;
  }
  return true;
}
