/* Goes through the bins of a grid that are within reach of one of its atoms: what every search over
 * pairs of atoms is made of. Bins come in lexicographic order of the whole crystal, as stretches of
 * the grid's table. */
#ifndef CORE_GRAPH_VISIT_H
#define CORE_GRAPH_VISIT_H

#include "core/graph/grid.h"

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

  /* Takes the atoms of a run; false ends the visit. */
  bool (*run)(struct visit *visit, const struct visit_run *run);

  /* Called between rows of bins; false ends the visit. */
  bool (*go_on)(struct visit *visit);

  /* Rows of bins looked at, to which `run` may add. */
  uint64_t work;

  /* The atom under way, and where it lies in the grid: the visit's own. */
  const struct grid_atom *at;
  double place[3];
};

/* Visits the bins within reach of the atom in a slot of the grid. Returns false where it was ended.
 */
bool visit_around(struct visit *visit, size_t slot);

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

#endif
