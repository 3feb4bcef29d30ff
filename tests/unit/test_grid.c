/* What the neighbour search relies on in a grid: every atom found under its bins, in bounds. */
#include "core/graph/grid.h"
#include "irrep/conventions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define N_ATOMS 90

struct fixture {
  struct irrep_structure s;
  double positions[3 * N_ATOMS];
  struct grid grid;
  void *memory;
};

/* Low-discrepancy points, scaled and sent `spread` cells away. */
static void place_atoms(struct fixture *f, double scale, double spread) {
  static const double steps[3] = {0.8191725134, 0.6710436067, 0.5497004779};
  for (size_t i = 0; i < N_ATOMS; i++) {
    for (size_t m = 0; m < 3; m++) {
      double x = (double)(i + 1) * steps[m], far = floor(spread * sin((double)(3 * i + m)));
      f->positions[3 * i + m] = scale * (x - floor(x) + far);
    }
  }
  f->s.n_atoms = N_ATOMS;
  f->s.positions = f->positions;
}

static void build(struct fixture *f, size_t n_atoms, double thickness) {
  struct arena counting = arena_counting();
  f->s.n_atoms = n_atoms;
  grid_take(&f->grid, n_atoms, &counting);
  assert_false(counting.failed);
  size_t bytes = (counting.used + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  f->memory = aligned_alloc(IRREP_ALIGNMENT, bytes);
  assert_non_null(f->memory);
  struct arena arena = arena_over(f->memory, bytes);
  grid_take(&f->grid, n_atoms, &arena);
  assert_false(arena.failed);
  grid_build(&f->grid, &f->s, thickness);
}

static double norm(const double v[3]) {
  return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

static void assert_atom_in_bounds(const struct grid *grid, const struct grid_atom *atom) {
  for (size_t k = 0; k < 3; k++) {
    const struct grid_axis *axis = &grid->axis[k];
    assert_true(atom->bin[k] >= 0 && atom->bin[k] <= (double)axis->bins * (1 + 1e-12));
    assert_true(atom->slice[k] >= 0 && atom->slice[k] < axis->bins);
    assert_true(atom->bin[k] >= atom->slice[k] && atom->bin[k] - atom->slice[k] <= 1 + 1e-6);
    assert_true(atom->period[k] == rint(atom->period[k]));
    assert_true(axis->periodic || atom->period[k] == 0);
  }
}

/* period . cell + place is the position, to within slack. */
static void assert_place(const struct fixture *f, size_t slot) {
  const struct grid *grid = &f->grid;
  const struct grid_atom *atom = &grid->atoms[slot];
  double off[3];
  for (size_t m = 0; m < 3; m++) {
    off[m] = grid->place[m][slot] - f->positions[3 * atom->index + m];
    for (size_t k = 0; k < 3; k++)
      if (f->s.pbc[k])
        off[m] += atom->period[k] * f->s.cell[k][m];
  }
  assert_true(norm(off) <= grid->slack);
}

/* Bins measured by the steps are as far apart as the places. */
static void assert_distance(const struct grid *grid, size_t a, size_t b) {
  double by_bins[3] = {0}, by_place[3];
  for (size_t m = 0; m < 3; m++) {
    by_place[m] = grid->place[m][a] - grid->place[m][b];
    for (size_t k = 0; k < 3; k++)
      by_bins[m] += (grid->atoms[a].bin[k] - grid->atoms[b].bin[k]) * grid->step[k][m];
  }
  assert_true(fabs(norm(by_bins) - norm(by_place)) <= 2 * grid->slack + 1e-12 * norm(by_place));
}

static size_t entry_of(const struct grid *grid, const struct grid_atom *atom) {
  size_t entry = 0;
  for (size_t k = 0; k < 3; k++)
    entry = entry * (size_t)grid->axis[k].folded + (size_t)(atom->slice[k] % grid->axis[k].folded);
  return entry;
}

static void assert_sound(const struct fixture *f) {
  const struct grid *grid = &f->grid;
  size_t n_atoms = f->s.n_atoms, entries = 1;
  for (size_t k = 0; k < 3; k++) {
    assert_true(grid->axis[k].folded >= 1 && grid->axis[k].folded <= grid->axis[k].bins);
    assert_true(grid->step[k][k] > 0);
    for (size_t j = 0; j < k; j++)
      assert_true(grid->step[k][j] == 0);
    entries *= (size_t)grid->axis[k].folded;
  }
  assert_true(entries <= 2 * n_atoms + GRID_TABLE_SPARE);
  assert_int_equal(grid->table[0], 0);
  assert_int_equal(grid->table[entries], n_atoms);
  for (size_t slot = 0; slot < n_atoms; slot++) {
    const struct grid_atom *atom = &grid->atoms[slot];
    size_t entry = entry_of(grid, atom);
    assert_in_range(slot, grid->table[entry], grid->table[entry + 1] - 1);
    assert_true(slot == grid->table[entry] || atom[-1].index < atom->index);
    assert_int_equal(grid->slot[atom->index], slot);
    assert_atom_in_bounds(grid, atom);
    assert_place(f, slot);
    assert_distance(grid, slot, (slot * 7 + 3) % n_atoms);
  }
}

static void set_cell(struct fixture *f, unsigned bits, double scale, bool left_handed) {
  const double rows[3][3] = {{1, 0.1, -0.2}, {0.4, 0.9, 0.3}, {-0.7, 0.2, 1.1}};
  for (size_t k = 0; k < 3; k++) {
    f->s.pbc[k] = bits >> k & 1;
    for (size_t m = 0; m < 3; m++)
      f->s.cell[k][m] = f->s.pbc[k] ? scale * rows[left_handed ? 2 - k : k][m] : NAN;
  }
}

static void every_periodicity(void **state) {
  (void)state;
  static const double spreads[] = {0, 3, 4e4};
  for (unsigned bits = 0; bits < 16; bits++)
    for (size_t i = 0; i < 3; i++) {
      struct fixture f = {0};
      set_cell(&f, bits, 20, bits & 8);
      place_atoms(&f, 20, spreads[i]);
      build(&f, N_ATOMS, 4);
      assert_sound(&f);
      assert_true(f.grid.slack < 1e-12 * (30 + 1e3 * spreads[i]));
      free(f.memory);
    }
}

static void slices_are_as_thick_as_asked(void **state) {
  (void)state;
  for (unsigned bits = 0; bits < 8; bits++) {
    struct fixture f = {0};
    set_cell(&f, bits, 20, false);
    place_atoms(&f, 20, 0);
    build(&f, N_ATOMS, 4);
    for (size_t k = 0; k < 3; k++) {
      assert_true(f.grid.axis[k].bins >= 2);
      assert_int_equal(f.grid.axis[k].periodic, f.s.pbc[k]);
    }
    assert_true(f.grid.step[0][0] >= 4 && f.grid.step[0][0] < 8);
    free(f.memory);
  }
}

static void few_atoms_are_not_binned(void **state) {
  (void)state;
  struct fixture f = {0};
  set_cell(&f, 3, 1000, false);
  place_atoms(&f, 1000, 0);
  for (size_t n = 1; n <= 2; n++) {
    build(&f, n, 4);
    assert_sound(&f);
    for (size_t k = 0; k < 3; k++)
      assert_int_equal(f.grid.axis[k].bins, 1);
    free(f.memory);
  }
}

/* A cell of 10^15 slices folds into a table for 90 atoms. */
static void far_spread_is_folded(void **state) {
  (void)state;
  for (unsigned bits = 0; bits < 8; bits += 7) {
    struct fixture f = {0};
    set_cell(&f, bits, 4e5, false);
    place_atoms(&f, 4e5, 1);
    build(&f, N_ATOMS, 4);
    assert_sound(&f);
    for (size_t k = 0; k < 3; k++) {
      assert_true(f.grid.axis[k].bins > 10000);
      assert_true(f.grid.axis[k].folded >= 2 && f.grid.axis[k].folded <= 12);
    }
    free(f.memory);
  }
}

static void bins_stay_within_int32(void **state) {
  (void)state;
  struct fixture f = {0};
  set_cell(&f, 1, 4e5, false);
  place_atoms(&f, 4e5, 1);
  build(&f, N_ATOMS, 1e-300);
  assert_sound(&f);
  free(f.memory);
}

/* All atoms in one point have no extent. */
static void atoms_without_extent(void **state) {
  (void)state;
  struct fixture f = {0};
  f.s.positions = f.positions;
  build(&f, N_ATOMS, 4);
  assert_sound(&f);
  assert_true(f.grid.slack == 0);
  free(f.memory);
}

/* Coordinates a hair below zero round up to the period's end and stay in the last slice. */
static void rounding_at_the_cell_face(void **state) {
  (void)state;
  struct fixture f = {0};
  f.s.positions = f.positions;
  for (size_t k = 0; k < 3; k++) {
    f.s.pbc[k] = true;
    f.s.cell[k][k] = 20;
  }
  for (size_t i = 0; i < 3 * N_ATOMS; i++)
    f.positions[i] = i % 4 ? -1e-18 * (double)i : 20.0 * (double)(i % 7);
  build(&f, N_ATOMS, 4);
  assert_sound(&f);
  assert_int_equal(f.grid.atoms[f.grid.slot[0]].slice[1], f.grid.axis[1].bins - 1);
  assert_true(f.grid.atoms[f.grid.slot[0]].period[1] == -1);
  free(f.memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_periodicity),         cmocka_unit_test(slices_are_as_thick_as_asked),
      cmocka_unit_test(few_atoms_are_not_binned),  cmocka_unit_test(far_spread_is_folded),
      cmocka_unit_test(bins_stay_within_int32),    cmocka_unit_test(atoms_without_extent),
      cmocka_unit_test(rounding_at_the_cell_face),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
