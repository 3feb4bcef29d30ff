/* Nobody within reach is left out, wherever a stretch begins and ends; what is found comes in order
 * and is hardly farther away. */
#include "core/graph/near.h"
#include "tests/unit/support_arrays.h"

#include <float.h>

#define N 301

/* Of a cube, some way off the origin. */
static void fill(struct grid *grid, struct near *near, struct arena *arena, double side, double off,
                 double *positions) {
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  struct rng rng = {7};
  s.n_atoms = N;
  s.positions = positions;
  for (size_t i = 0; i < 3 * N; i++)
    positions[i] = off + side * rng_next(&rng);
  grid_take(grid, N, arena);
  near_take(near, N, arena);
  if (arena->failed || !grid->table)
    return;
  grid_build(grid, &s, side / 4);
  near_fill(near, grid);
}

static double distance(const struct grid *grid, size_t slot, const float point[3]) {
  double d2 = 0;
  for (size_t k = 0; k < 3; k++) {
    const double d = grid->place[k][slot] - (double)point[k];
    d2 += d * d;
  }
  return sqrt(d2);
}

/* Compares with a look at each; returns how many are found. */
static size_t compare(const struct grid *grid, const struct near *near, size_t begin, size_t end,
                      const struct near_wish *wish, double reach) {
  uint32_t slots[NEAR_ROOM];
  const double most =
      sqrt((double)wish->reach2) * (1 + 1e-6) + 2 * (double)FLT_EPSILON * near->farthest;
  const size_t n = near_slots(near, begin, end, wish, slots);
  size_t at = 0;
  assert_true(n <= end - begin);
  for (size_t i = begin; i < end; i++) {
    const bool is_found = at < n && slots[at] == i;
    const double d = distance(grid, i, wish->point);
    at += is_found;
    if (grid->atoms[i].index < (uint32_t)wish->first || d > most)
      assert_false(is_found);
    else if (d <= reach)
      assert_true(is_found);
  }
  assert_int_equal(at, n);
  return n;
}

static void test_all_stretches(void **state) {
  static const double sides[] = {1e-3, 10, 1e4}, offs[] = {0, -50, 1e6};
  static double positions[3 * N];
  (void)state;
  struct grid grid;
  struct near near;
  struct arena counting = arena_counting();
  grid_take(&grid, N, &counting);
  near_take(&near, N, &counting);
  void *memory = aligned_new(counting.used);
  for (size_t c = 0; c < 9; c++) {
    struct arena arena = arena_over(memory, counting.used);
    const double side = sides[c % 3], reach = 0.7 * side;
    fill(&grid, &near, &arena, side, offs[c / 3], positions);
    assert_false(arena.failed);
    const float reach2 = near_reach2(&near, reach);
    assert_true((double)reach2 > reach * reach);
    size_t n = 0;
    for (size_t begin = 0; begin < N; begin += 7)
      for (size_t size = 0; size <= NEAR_BLOCK && begin + size <= N; size += 1 + size / 9) {
        struct near_wish wish = {.reach2 = reach2, .first = (int32_t)(size * 2)};
        for (size_t k = 0; k < 3; k++)
          wish.point[k] = (float)grid.place[k][(begin * 5 + size) % N];
        n += compare(&grid, &near, begin, begin + size, &wish, reach);
      }
    assert_true(n > 1000);
  }
  free(memory);
}

/* Rounding is made up for as far from the origin as atoms may be, and not by much near it. */
static void test_reach(void **state) {
  (void)state;
  const struct near close = {.farthest = 30}, far = {.farthest = 1e6};
  assert_true((double)near_reach2(&close, 6) > 36 && (double)near_reach2(&close, 6) < 36.001);
  assert_true((double)near_reach2(&far, 6) > 6.2 * 6.2 && (double)near_reach2(&far, 6) < 6.3 * 6.3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_stretches),
      cmocka_unit_test(test_reach),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
