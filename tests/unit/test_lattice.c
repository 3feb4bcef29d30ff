/* Short bases of lattices: the same lattice, Minkowski's conditions, and the same neighbours. */
#include "core/graph/lattice.h"
#include "tests/unit/support_neighbours.h"

static double square(const double a[3]) {
  return dot(a, a);
}

static double determinant(const double a[3][3]) {
  double normal[3];
  cross(a[1], a[2], normal);
  return dot(a[0], normal);
}

static const bool all[3] = {true, true, true};

static void assert_of_given(const struct lattice *lattice, const double cell[3][3],
                            const bool pbc[3]) {
  for (size_t k = 0; k < 3; k++)
    for (size_t m = 0; m < 3; m++) {
      double want = 0;
      for (size_t j = 0; j < 3; j++)
        want += pbc[j] ? lattice->of[k][j] * cell[j][m] : 0;
      assert_true(fabs(lattice->cell[k][m] - (pbc[k] ? want : 0)) <= lattice->off[k] + 1e-300);
      assert_true(lattice->of[k][m] == rint(lattice->of[k][m]));
      assert_true((pbc[k] && pbc[m]) || lattice->of[k][m] == (k == m ? 1 : 0));
    }
  assert_true(fabs(fabs(determinant(lattice->of)) - 1) < 1e-6);
}

/* No sum of rows with coefficients of -1, 0, 1 is shorter than the longest row in it. */
static void assert_minkowski(const double cell[3][3], const bool pbc[3]) {
  for (int a = -1; a <= 1; a++)
    for (int b = -1; b <= 1; b++)
      for (int c = -1; c <= 1; c++) {
        const int of[3] = {pbc[0] ? a : 0, pbc[1] ? b : 0, pbc[2] ? c : 0};
        double sum[3] = {0}, longest = 0;
        for (size_t k = 0; k < 3; k++)
          for (size_t m = 0; m < 3 && of[k] != 0; m++) {
            sum[m] += of[k] * cell[k][m];
            longest = fmax(longest, square(cell[k]));
          }
        assert_true(square(sum) >= longest * (1 - 1e-5));
      }
}

static void ordinary_cells_stay(void **unused) {
  (void)unused;
  static const double cells[][3][3] = {
      {{7, 0, 0}, {0, 7, 0}, {0, 0, 7}},
      {{0, 2.7, 2.7}, {2.7, 0, 2.7}, {2.7, 2.7, 0}},
      {{3, 0, 0}, {-1.5, 2.5980762, 0}, {0, 0, 12}},
      {{3, 0, 0}, {1.5, 2.5980762, 0}, {1.5, 0.8660254, 2.4494897}},
      {{100, 0, 0}, {60, 100, 0}, {-60, 60, 100}}, /* tilted, and far above the cutoff */
  };
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
    for (unsigned bits = 0; bits < 8; bits++) {
      const bool pbc[3] = {bits & 1, bits & 2, bits & 4};
      struct lattice lattice;
      lattice_shorten(cells[i], pbc, 6, &lattice);
      assert_true(lattice.is_given);
      assert_of_given(&lattice, cells[i], pbc);
      for (size_t k = 0; k < 3 && pbc[k]; k++)
        assert_memory_equal(lattice.cell[k], cells[i][k], sizeof lattice.cell[k]);
    }
}

static void skewed_cells(void **unused) {
  (void)unused;
  const double cell[3][3] = {{7, 0, 0}, {5600, 7, 0}, {5600, 5600, 7}};
  struct lattice lattice;
  lattice_shorten(cell, all, 6, &lattice);
  assert_false(lattice.is_given);
  assert_of_given(&lattice, cell, all);
  for (size_t k = 0; k < 3; k++)
    assert_true(square(lattice.cell[k]) == 49);
  assert_true(lattice_rows(cell, all, 6) > 1e6);
  assert_true(lattice_rows(lattice.cell, all, 6) < 64);
  /* The shift that the cell's own second row is. */
  double shift[3] = {0};
  for (size_t k = 0; k < 3; k++)
    shift[k] = rint(dot(cell[1], lattice.cell[k]) / 49);
  lattice_shift(&lattice, shift);
  assert_true(shift[0] == 0 && shift[1] == 1 && shift[2] == 0);
}

static void random_lattices(void **unused) {
  (void)unused;
  uint64_t seed = 3;
  size_t reduced = 0;
  for (size_t c = 0; c < 4000; c++) {
    const bool pbc[3] = {c & 1, c & 2, c & 4};
    double cell[3][3];
    for (size_t k = 0; k < 3; k++)
      for (size_t m = 0; m < 3; m++)
        cell[k][m] = uniform(&seed, -4, 4) + (k == m ? 3 : 0);
    for (size_t times = below(&seed, 9); times > 0; times--) {
      const size_t i = below(&seed, 3), j = (i + 1 + below(&seed, 2)) % 3;
      const double f = rint(uniform(&seed, -9, 9));
      for (size_t m = 0; m < 3; m++)
        cell[i][m] += f * cell[j][m];
    }
    const double *rows = cell[0];
    struct irrep_structure s = {.n_atoms = 1, .positions = rows, .pbc = {pbc[0], pbc[1], pbc[2]}};
    memcpy(s.cell, cell, sizeof cell);
    if (structure_check(&s, NULL) != IRREP_OK)
      continue;
    struct lattice lattice;
    lattice_shorten(cell, pbc, 6, &lattice);
    assert_of_given(&lattice, cell, pbc);
    if (lattice.is_given)
      continue;
    reduced++;
    assert_minkowski(lattice.cell, pbc);
    assert_true(2 * lattice_rows(lattice.cell, pbc, 6) < lattice_rows(cell, pbc, 6));
  }
  assert_true(reduced > 200);
}

/* Never more than there are, and not much fewer where there are many. */
static void edges_at_least(void **unused) {
  (void)unused;
  uint64_t seed = 4;
  double positions[9];
  for (size_t c = 0; c < 200; c++) {
    struct irrep_structure s = {.n_atoms = 1 + below(&seed, 3),
                                .positions = positions,
                                .pbc = {c % 8 & 1, c % 8 & 2, c % 8 & 4}};
    const double edge = uniform(&seed, 0.5, 5);
    for (size_t k = 0; k < 3; k++)
      for (size_t m = 0; m < 3; m++)
        s.cell[k][m] = uniform(&seed, -0.3, 0.3) * edge + (k == m ? edge : 0);
    for (size_t i = 0; i < 9; i++)
      positions[i] = uniform(&seed, 0, 20);
    struct lattice lattice;
    size_t n;
    lattice_shorten(s.cell, s.pbc, 5, &lattice);
    if (structure_check(&s, NULL) != IRREP_OK || count(&s, 5, SIZE_MAX, &n, NULL) != IRREP_OK)
      continue;
    if (c < 16)
      check(&s, 5, 1e-10);
    assert_true(lattice_edges_min(&lattice, s.pbc, s.n_atoms, 5) <= (double)n);
    if (c % 8 == 7 && edge < 0.7)
      assert_true(lattice_edges_min(&lattice, s.pbc, s.n_atoms, 5) >= 0.3 * (double)n);
  }
}

/* Whatever numbers stand in a cell, the answer is finite work: a basis, of the same lattice. */
static void extreme_cells(void **unused) {
  (void)unused;
  static const double cells[][3][3] = {
      {{1e6, 0, 0}, {1e6, 1, 0}, {0, 0, 1e6}},
      {{1e-3, 0, 0}, {1e6, 2, 0}, {-1e6, 1e6, 3}},
      {{1e6, 1e6, 1e6}, {1e6, 1e6, 1e6 - 3}, {1e6, 1e6 - 7, 1e6}},
      {{200, 0, 0}, {200, 0.24, 0}, {200, -0.24, 0.48}},
      {{1, 0, 0}, {0, 1, 0}, {1, 1, 0}}, /* no volume: never accepted, and no harm */
  };
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
    struct lattice lattice;
    lattice_shorten(cells[i], all, 6, &lattice);
    if (i < 4)
      assert_of_given(&lattice, cells[i], all);
  }
}

/* Other cells of one lattice */

static int compare_shifts(const void *x, const void *y) {
  const struct edge *a = x, *b = y;
  if (a->receiver != b->receiver)
    return a->receiver < b->receiver ? -1 : 1;
  if (a->sender != b->sender)
    return a->sender < b->sender ? -1 : 1;
  for (size_t k = 0; k < 3; k++)
    if (a->shift[k] != b->shift[k])
      return a->shift[k] < b->shift[k] ? -1 : 1;
  return 0;
}

static double exact(double x) {
  return rint(x * 1024) / 1024;
}

/* A few atoms in a short cell, open along some axes, whose rows are then no numbers. */
static struct irrep_structure random_structure(uint64_t *seed, size_t c, double positions[90]) {
  struct irrep_structure s = {.n_atoms = 1 + below(seed, c % 5 == 0 ? 30 : 5),
                              .positions = positions,
                              .pbc = {c & 1, c & 2, c & 4}};
  for (size_t k = 0; k < 3; k++)
    for (size_t m = 0; m < 3; m++)
      s.cell[k][m] =
          !s.pbc[k] ? NAN : exact(uniform(seed, -1, 1) + (k == m ? uniform(seed, 2, 9) : 0));
  for (size_t i = 0; i < 3 * s.n_atoms; i++)
    positions[i] = exact(uniform(seed, -8, 8));
  return s;
}

/* Adds multiples of rows to others, in a cell and, the other way round, to shifts along its rows:
 * shift . cell stays. */
static void shear(struct irrep_structure *s, struct list *list, size_t row, size_t other,
                  double times) {
  for (size_t m = 0; m < 3; m++)
    s->cell[row][m] += times * s->cell[other][m];
  for (size_t e = 0; e < list->n; e++)
    list->edges[e].shift[other] -= times * list->edges[e].shift[row];
}

/* Bit for bit the list that a search through all images in the cell as given would find, in its
 * order: that by a plain search in a short cell, with shifts and vectors of the other one. All
 * numbers are multiples of 1/1024 that add up exactly. */
static void other_cells_of_a_lattice(void **unused) {
  (void)unused;
  uint64_t seed = 12;
  size_t compared = 0;
  double positions[90];
  for (size_t c = 0; c < 240; c++) {
    struct irrep_structure s = random_structure(&seed, c, positions);
    const double r_max = uniform(&seed, 2, 6);
    struct list want = reference(&s, r_max);
    for (size_t times = below(&seed, 6); times > 0; times--) {
      const size_t row = below(&seed, 3), other = (row + 1 + below(&seed, 2)) % 3;
      if (s.pbc[row] && s.pbc[other])
        shear(&s, &want, row, other, rint(uniform(&seed, -40, 40)));
    }
    if (!want.edges)
      continue; /* none */
    qsort(want.edges, want.n, sizeof *want.edges, compare_shifts);
    for (size_t e = 0; e < want.n; e++)
      vector_of(&s, want.edges[e].receiver, want.edges[e].sender, want.edges[e].shift,
                want.edges[e].vector);
    struct irrep_error error;
    size_t n;
    if (structure_check(&s, NULL) == IRREP_OK &&
        count(&s, r_max, SIZE_MAX, &n, &error) == IRREP_OK) {
      struct list got = neighbours(&s, r_max);
      assert_same(&got, &want, 0);
      assert_antisymmetric(&got, s.n_atoms);
      free(got.edges);
      compared++;
    }
    free(want.edges);
  }
  assert_true(compared > 150);
}

/* A cell whose images would fill 10 s a structure, of which an ordinary crystal is made. */
static void skewed_cubic_cell(void **unused) {
  (void)unused;
  double positions[6] = {0, 0, 0, 2, 2, 2};
  struct irrep_structure cubic = {.n_atoms = 2,
                                  .positions = positions,
                                  .cell = {{7, 0, 0}, {0, 7, 0}, {0, 0, 7}},
                                  .pbc = {true, true, true}};
  struct irrep_structure skewed = cubic;
  skewed.cell[1][0] = skewed.cell[2][0] = skewed.cell[2][1] = 5600;
  size_t n = 0, want = 0;
  assert_int_equal(count(&cubic, 12, SIZE_MAX, &want, NULL), IRREP_OK);
  assert_int_equal(count(&skewed, 12, SIZE_MAX, &n, NULL), IRREP_OK);
  assert_true(want > 50);
  assert_int_equal(n, want);
}

/* An oblique cell with many times more images to look through than edges to find. */
static void oblique_cell(void **unused) {
  (void)unused;
  double position[3] = {0, 0, 0};
  struct irrep_structure s = {.n_atoms = 1,
                              .positions = position,
                              .cell = {{0, 1000, 1.4}, {0.1, 1.43e-4, 0}, {1000, 0, 0}},
                              .pbc = {true, true, true}};
  struct irrep_structure short_cell = s;
  memcpy(short_cell.cell[2], (double[3]){0, -1.43, 0}, sizeof short_cell.cell[2]);
  memcpy(short_cell.cell[0], (double[3]){0, 1000 - 699 * 1.43, 1.4}, sizeof short_cell.cell[0]);
  size_t n = 0, want = 0;
  assert_int_equal(count(&s, 12.34567, SIZE_MAX, &n, NULL), IRREP_OK);
  assert_int_equal(count(&short_cell, 12.34567, SIZE_MAX, &want, NULL), IRREP_OK);
  assert_true(want > 1000);
  assert_int_equal(n, want);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ordinary_cells_stay), cmocka_unit_test(skewed_cells),
      cmocka_unit_test(random_lattices),     cmocka_unit_test(edges_at_least),
      cmocka_unit_test(extreme_cells),       cmocka_unit_test(other_cells_of_a_lattice),
      cmocka_unit_test(skewed_cubic_cell),   cmocka_unit_test(oblique_cell),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
