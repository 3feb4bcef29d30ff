#include "core/graph/near.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef float floats __attribute__((vector_size(4 * NEAR_LANES)));
typedef int32_t integers __attribute__((vector_size(4 * NEAR_LANES)));

/* Which lanes of a comparison hold, a bit each. */
static inline unsigned lanes_of(integers holds) {
#if defined(__SSE2__)
  return (unsigned)_mm_movemask_ps((__m128)holds);
#else
  unsigned bits = 0;
  for (unsigned i = 0; i < NEAR_LANES; i++)
    bits |= holds[i] != 0 ? 1u << i : 0;
  return bits;
#endif
}

/* The lanes that a set of bits names, in order, and their number. */
static const struct {
  integers lane;
  size_t n;
} named[1 << NEAR_LANES] = {
    {{0}, 0},    {{0}, 1},       {{1}, 1},       {{0, 1}, 2},       {{2}, 1},    {{0, 2}, 2},
    {{1, 2}, 2}, {{0, 1, 2}, 3}, {{3}, 1},       {{0, 3}, 2},       {{1, 3}, 2}, {{0, 1, 3}, 3},
    {{2, 3}, 2}, {{0, 2, 3}, 3}, {{1, 2, 3}, 3}, {{0, 1, 2, 3}, 4},
};

void near_take(struct near *near, size_t n_atoms, struct arena *arena) {
  const size_t n = size_add(n_atoms, NEAR_LANES - 1); /* whole vectors are read */
  for (size_t k = 0; k < 3; k++)
    near->place[k] = arena_take(arena, n, sizeof *near->place[k]);
  near->index = arena_take(arena, n, sizeof *near->index);
}

void near_fill(struct near *near, const struct grid *grid) {
  const size_t n = grid->n_atoms;
  near->farthest = 0;
  for (size_t k = 0; k < 3; k++) {
    for (size_t i = 0; i < n; i++) {
      near->place[k][i] = (float)grid->place[k][i];
      near->farthest = fmax(near->farthest, fabs(grid->place[k][i]));
    }
    memset(near->place[k] + n, 0, (NEAR_LANES - 1) * sizeof *near->place[k]);
  }
  for (size_t i = 0; i < n; i++)
    near->index[i] = (int32_t)grid->atoms[i].index;
  memset(near->index + n, 0, (NEAR_LANES - 1) * sizeof *near->index);
}

/* The coordinates of an atom and of a point within reach of it are off by at most half of epsilon,
 * relative; the rest of the arithmetic is off by a few of it. */
float near_reach2(const struct near *near, double reach) {
  const double off = FLT_EPSILON * (2 * near->farthest + reach);
  const double wide = (reach + off) * (1 + 8 * (double)FLT_EPSILON);
  return (float)(wide * wide);
}

static inline floats load_floats(const float *at) {
  floats v;
  memcpy(&v, at, sizeof v);
  return v;
}

static inline integers load_integers(const int32_t *at) {
  integers v;
  memcpy(&v, at, sizeof v);
  return v;
}

size_t near_slots(const struct near *near, size_t begin, size_t end, const struct near_wish *wish,
                  uint32_t *slots) {
  const float *x = near->place[0], *y = near->place[1], *z = near->place[2];
  const floats none = {0};
  const floats px = none + wish->point[0], py = none + wish->point[1], pz = none + wish->point[2];
  const floats reach2 = none + wish->reach2;
  const integers nothing = {0}, first = nothing + wish->first;
  size_t n = 0;
  for (size_t i = begin; i < end; i += NEAR_LANES) {
    const floats dx = load_floats(x + i) - px, dy = load_floats(y + i) - py;
    const floats dz = load_floats(z + i) - pz;
    const integers is_near = (integers)(dx * dx + dy * dy + dz * dz <= reach2);
    unsigned lanes = lanes_of(is_near & (integers)(load_integers(near->index + i) >= first));
    if (end - i < NEAR_LANES)
      lanes &= (1u << (end - i)) - 1;
    const integers found = named[lanes].lane + (int32_t)i;
    memcpy(slots + n, &found, sizeof found);
    n += named[lanes].n;
  }
  return n;
}
