/* Which of many atoms are near a point: a quick look in single precision, several at a time. It
 * leaves out nobody who is within reach, and lets few others through, of whom the caller finds out.
 */
#ifndef CORE_GRAPH_NEAR_H
#define CORE_GRAPH_NEAR_H

#include "core/graph/grid.h"

#include <stddef.h>
#include <stdint.h>

/* Atoms looked at in one go, and the room for those that are found: whole vectors are written. */
#define NEAR_LANES 4
#define NEAR_BLOCK 128
#define NEAR_ROOM (NEAR_BLOCK + NEAR_LANES)

/* The atoms of a grid, in the order of its table. */
struct near {
  float *place[3]; /* [n_atoms and some beyond] Angstrom, rounded from the grid's */
  int32_t *index;  /* likewise, of the structure's atoms */
  double farthest; /* the largest coordinate, Angstrom */
};

/* Who is looked for: near a point, and behind an atom in the structure. */
struct near_wish {
  float point[3];
  float reach2;  /* squared */
  int32_t first; /* the lowest index that is wanted */
};

/* Takes the arrays for n_atoms atoms from an arena (which may be counting). */
void near_take(struct near *near, size_t n_atoms, struct arena *arena);

/* Fills them from a grid that has been built. */
void near_fill(struct near *near, const struct grid *grid);

/* The square of a reach (Angstrom) for near_wish that makes up for what rounding to single
 * precision does to distances. Thread-safe, as is near_slots. */
float near_reach2(const struct near *near, double reach);

/* Writes the slots from [begin, end), at most NEAR_BLOCK of them, of the atoms that are wanted, in
 * ascending order; returns their number. slots [NEAR_ROOM] may be written beyond that. */
size_t near_slots(const struct near *near, size_t begin, size_t end, const struct near_wish *wish,
                  uint32_t *slots);

#endif
