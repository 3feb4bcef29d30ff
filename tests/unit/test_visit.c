/* Every bin within reach of an atom is visited once, in order. What searches make of it is tested
 * with neighbours.c and cells.c. */
#include "core/graph/neighbours.h"
#include "core/graph/visit.h"
#include "tests/unit/support_arrays.h"

#define N 200
#define RUNS_MAX 20000

struct seen {
  size_t n, n_runs_max;
  double found[RUNS_MAX][3]; /* period of each atom that was found */
  uint32_t index[RUNS_MAX];
  double last[3]; /* bin of the run before, of the whole crystal */
};

static bool take(struct visit *visit, const struct visit_run *run) {
  struct seen *seen = visit->context;
  const struct grid *grid = visit->grid;
  const double bin[3] = {run->period[0] * (double)grid->axis[0].bins + (double)run->slice[0],
                         run->period[1] * (double)grid->axis[1].bins + (double)run->slice[1],
                         run->period[2] * (double)grid->axis[2].bins + (double)run->low};
  const bool after = bin[0] != seen->last[0]   ? bin[0] > seen->last[0]
                     : bin[1] != seen->last[1] ? bin[1] > seen->last[1]
                                               : bin[2] > seen->last[2];
  assert_true(after);
  memcpy(seen->last, bin, sizeof bin);
  double point[3], expected[3];
  visit_point(visit, run, point);
  for (size_t k = 0; k < 3; k++)
    expected[k] = visit->place[k] - run->period[0] * grid->cell[0][k] -
                  run->period[1] * grid->cell[1][k] - run->period[2] * grid->cell[2][k];
  assert_all_close(point, expected, 3, 1e-12, 0);
  for (size_t g = grid->table[run->entry];
       g < grid->table[run->entry + (size_t)(run->high - run->low) + 1]; g++)
    if (visit_holds(run, &grid->atoms[g])) {
      assert_true(seen->n < RUNS_MAX);
      seen->index[seen->n] = grid->atoms[g].index;
      memcpy(seen->found[seen->n++], run->period, sizeof run->period);
    }
  return true;
}

static bool go_on(struct visit *visit) {
  return visit->context != NULL;
}

static bool refuse(struct visit *visit) {
  (void)visit;
  return false;
}

/* All images within the cutoff are among those found, none twice. */
static void test_all_within_reach(void **state) {
  (void)state;
  static double positions[3 * N];
  static struct seen seen;
  const double cutoff = 6;
  struct rng rng = {1};
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  const double cell[3][3] = {{9, 1, 0}, {-2, 8, 0.5}, {0, 3, 11}};
  memcpy(s.cell, cell, sizeof cell);
  s.pbc[0] = s.pbc[1] = s.pbc[2] = true;
  s.n_atoms = N;
  s.positions = positions;
  for (size_t i = 0; i < 3 * N; i++)
    positions[i] = 12 * rng_next(&rng);
  struct grid grid;
  struct arena counting = arena_counting();
  grid_take(&grid, N, &counting);
  void *memory = aligned_new(counting.used);
  struct arena arena = arena_over(memory, counting.used);
  grid_take(&grid, N, &arena);
  grid_build(&grid, &s, 3);
  struct visit visit = {
      .grid = &grid, .reach = cutoff * (1 + VISIT_REACH_MARGIN) + 2 * grid.slack, .context = &seen};
  for (size_t slot = 0; slot < N; slot += 37) {
    seen.n = 0;
    seen.last[0] = seen.last[1] = seen.last[2] = -1e9;
    assert_true(visit_around(&visit, (struct visitor){take, go_on}, slot));
    size_t expected = 0, found = 0;
    for (size_t g = 0; g < N; g++)
      for (int image = 0; image < 343; image++) {
        const int row = image / 7 % 7, layer = image / 49;
        const double n[3] = {layer - 3, row - 3, image % 7 - 3};
        double d2 = 0;
        for (size_t k = 0; k < 3; k++) {
          const double d = grid.place[k][g] - visit.place[k] + n[0] * cell[0][k] +
                           n[1] * cell[1][k] + n[2] * cell[2][k];
          d2 += d * d;
        }
        if (d2 >= cutoff * cutoff)
          continue;
        expected++;
        for (size_t f = 0; f < seen.n; f++)
          found += seen.index[f] == grid.atoms[g].index && seen.found[f][0] == n[0] &&
                   seen.found[f][1] == n[1] && seen.found[f][2] == n[2];
      }
    assert_true(expected > 50);
    assert_int_equal(found, expected);
  }
  seen.last[0] = -1e9;
  assert_false(visit_around(&visit, (struct visitor){take, refuse}, 0));
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_within_reach)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
