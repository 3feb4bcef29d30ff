/* All images within a cutoff, by species, however the atoms lie. */
#include "core/cpu/dispatch.h"
#include "core/dispersion/cells.h"
#include "tests/unit/support_arrays.h"

#define N 150
#define CUTOFF 9.0
#define N_ELEMENTS 11 /* more than are looked for at a time */

struct counts {
  const struct cells *cells;
  size_t of[N_ELEMENTS]; /* within the cutoff, by species */
  double sum;            /* of distances */
};

static void count(void *context, size_t species, struct dispersion_tile *tile) {
  struct counts *counts = context;
  assert_true(tile->n > 0 && tile->n <= DISPERSION_TILE);
  for (size_t i = 0; i < tile->n; i++) {
    const double d[3] = {tile->x[i], tile->y[i], tile->z[i]}, r = sqrt(dot(3, d, d));
    assert_int_equal(counts->cells->species[tile->slots[i]], species);
    assert_true(r > 0 && r < CUTOFF * 1.001);
    counts->of[species] += r < CUTOFF;
    counts->sum += r < CUTOFF ? r : 0;
  }
}

static void check(const struct irrep_structure *s, int images) {
  const struct dispersion_kernels *kernels = kernels_for(IRREP_FLOAT64, NULL)->dispersion;
  struct cells cells;
  struct arena counting = arena_counting();
  cells_take(&cells, s->n_atoms, N_ELEMENTS, &counting);
  void *memory = aligned_new(counting.used);
  memset(memory, 0xff, counting.used);
  struct arena arena = arena_over(memory, counting.used);
  cells_take(&cells, s->n_atoms, N_ELEMENTS, &arena);
  cells_build(&cells, s, CUTOFF);
  for (size_t slot = 0; slot < s->n_atoms; slot += 13) {
    struct counts counts = {.cells = &cells};
    const struct pair_sink sink = {&counts, count};
    assert_true(cells_pairs(&cells, kernels, slot, CUTOFF, UINT64_MAX, &sink));
    const uint32_t i = cells.index[slot];
    size_t expected[N_ELEMENTS] = {0};
    double sum = 0;
    for (size_t j = 0; j < s->n_atoms; j++)
      for (int a = -images; a <= images; a++)
        for (int b = -images; b <= images; b++)
          for (int c = -images; c <= images; c++) {
            double d[3];
            for (size_t k = 0; k < 3; k++)
              d[k] = s->positions[3 * i + k] - s->positions[3 * j + k] + a * s->cell[0][k] +
                     b * s->cell[1][k] + c * s->cell[2][k];
            const double r = sqrt(dot(3, d, d));
            if ((a != 0 && !s->pbc[0]) || (b != 0 && !s->pbc[1]) || (c != 0 && !s->pbc[2]) ||
                r >= CUTOFF || (i == j && a == 0 && b == 0 && c == 0))
              continue;
            size_t species = 0;
            while (cells.numbers[species] != s->numbers[j])
              species++;
            expected[species]++;
            sum += r;
          }
    for (size_t k = 0; k < cells.n_species; k++)
      assert_int_equal(counts.of[k], expected[k]);
    assert_all_close(&counts.sum, &sum, 1, 1e-9, 1e-12);
    assert_false(cells_pairs(&cells, kernels, slot, CUTOFF, 0, &sink));
  }
  free(memory);
}

static void test_pairs(void **state) {
  (void)state;
  static double positions[3 * N];
  static int32_t numbers[N];
  static const int32_t elements[N_ELEMENTS] = {8, 1, 79, 14, 2, 3, 4, 5, 6, 7, 94};
  struct rng rng = {5};
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  s.numbers = numbers;
  s.positions = positions;
  for (size_t i = 0; i < N; i++)
    numbers[i] = elements[i % N_ELEMENTS];
  for (size_t i = 0; i < 3 * N; i++)
    positions[i] = 13 * rng_next(&rng);
  const double cell[3][3] = {{14, 1, 0}, {-2, 15, 0.5}, {0, 3, 13}};
  memcpy(s.cell, cell, sizeof cell);
  for (unsigned pbc = 0; pbc < 8; pbc++) {
    for (unsigned k = 0; k < 3; k++)
      s.pbc[k] = pbc >> k & 1;
    s.n_atoms = N;
    check(&s, 3);
    s.n_atoms = 3;
    check(&s, 3);
  }
  /* A skewed basis of a lattice. */
  const double skewed[3][3] = {{14, 1, 0}, {124, 24, 0.5}, {-98, -4, 13}};
  memcpy(s.cell, skewed, sizeof skewed);
  for (unsigned k = 0; k < 3; k++)
    s.pbc[k] = true;
  s.n_atoms = 7;
  check(&s, 45);
  /* Two crowds far apart share entries of the table. */
  s.pbc[0] = s.pbc[1] = s.pbc[2] = false;
  s.n_atoms = N;
  for (size_t i = 0; i < N; i += 2)
    positions[3 * i] += 7e4;
  check(&s, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
