#include "core/graph/neighbours.h"
#include "irrep/conventions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static double positions[9] = {0, 0, 0, 1e6, -1e6, 3, -0.0, 5e-324, 7};

static struct irrep_structure three_atoms(bool a, bool b, bool c) {
  return (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                  .n_atoms = 3,
                                  .positions = positions,
                                  .cell = {{4, 0, 0}, {1, 3, 0}, {0, 2, -5}},
                                  .pbc = {a, b, c}};
}

static void assert_accepted(const struct irrep_structure *s) {
  struct irrep_error error = {.detail = "untouched"};
  assert_int_equal(structure_check(s, &error), IRREP_OK);
  assert_string_equal(error.detail, "untouched");
  assert_int_equal(structure_check(s, NULL), IRREP_OK);
}

static void assert_refused(const struct irrep_structure *s, enum irrep_status status,
                           const char *field) {
  struct irrep_error error = {0};
  assert_int_equal(structure_check(s, &error), status);
  assert_int_equal(error.status, status);
  assert_string_equal(error.field, field);
  assert_true(strlen(error.detail) > 10);
  assert_int_equal(structure_check(s, NULL), status);
}

static void accepts_every_periodicity(void **state) {
  (void)state;
  for (unsigned bits = 0; bits < 8; bits++) {
    struct irrep_structure s = three_atoms(bits & 1, bits & 2, bits & 4);
    assert_accepted(&s);
  }
}

static void counts_atoms(void **state) {
  (void)state;
  struct irrep_structure s = three_atoms(true, true, true);
  s.n_atoms = 0;
  assert_refused(&s, IRREP_NO_ATOMS, "numbers");
  s.n_atoms = (size_t)INT32_MAX + 1;
  assert_refused(&s, IRREP_TOO_LARGE, "numbers");
  s.n_atoms = SIZE_MAX;
  assert_refused(&s, IRREP_TOO_LARGE, "numbers");
}

static void names_the_position(void **state) {
  (void)state;
  static const double bad[] = {NAN, INFINITY, -INFINITY, 1e308, -1e308, 1.0000001e6};
  struct irrep_structure s = three_atoms(false, true, false);
  for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
    double copy[9];
    memcpy(copy, positions, sizeof copy);
    s.positions = copy;
    copy[8] = bad[b];
    assert_refused(&s, IRREP_NOT_FINITE, "positions/2/2");
    copy[3] = bad[b];
    assert_refused(&s, IRREP_NOT_FINITE, "positions/1/0");
  }
}

static void names_the_cell_entry(void **state) {
  (void)state;
  static const double bad[] = {NAN, INFINITY, -1e308, 1.0000001e6};
  for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
    struct irrep_structure s = three_atoms(true, true, true);
    s.cell[1][2] = bad[b];
    assert_refused(&s, IRREP_NOT_FINITE, "cell/1/2");
    s.pbc[1] = false;
    assert_accepted(&s);
  }
}

static void refuses_short_rows(void **state) {
  (void)state;
  for (size_t k = 0; k < 3; k++) {
    struct irrep_structure s = three_atoms(k == 0, k == 1, k == 2);
    memset(s.cell, 0, sizeof s.cell);
    assert_refused(&s, IRREP_SINGULAR_CELL, "cell");
    s.cell[k][2] = 0.99e-3;
    assert_refused(&s, IRREP_SINGULAR_CELL, "cell");
    s.cell[k][2] = -1e-3;
    assert_accepted(&s);
  }
}

static void refuses_parallel_rows(void **state) {
  (void)state;
  for (size_t open = 0; open < 3; open++) {
    size_t a = (open + 1) % 3, b = (open + 2) % 3;
    struct irrep_structure s = three_atoms(open != 0, open != 1, open != 2);
    s.cell[a][0] = 1e5;
    s.cell[a][1] = s.cell[a][2] = 0;
    s.cell[b][0] = -2;
    s.cell[b][1] = 0;
    s.cell[b][2] = 2 * 0.9e-6;
    assert_refused(&s, IRREP_SINGULAR_CELL, "cell");
    s.cell[b][2] = 2 * 1.1e-6;
    assert_accepted(&s);
  }
}

/* Rows that are pairwise far from parallel, but in one plane. */
static void refuses_coplanar_rows(void **state) {
  (void)state;
  struct irrep_structure s = three_atoms(true, true, true);
  const double cell[3][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
  memcpy(s.cell, cell, sizeof cell);
  assert_refused(&s, IRREP_SINGULAR_CELL, "cell");
  s.cell[2][2] += 1e-3;
  assert_accepted(&s);
  s.cell[2][2] = 9 + 1e-5;
  assert_refused(&s, IRREP_SINGULAR_CELL, "cell");
  s.pbc[1] = false;
  assert_accepted(&s);
}

static void volume_is_relative_to_the_rows(void **state) {
  (void)state;
  struct irrep_structure s = three_atoms(true, true, true);
  const double cell[3][3] = {{2e-3, 0, 0}, {0, 1e6, 0}, {0, 0, 2e-3}};
  memcpy(s.cell, cell, sizeof cell);
  assert_accepted(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepts_every_periodicity), cmocka_unit_test(counts_atoms),
      cmocka_unit_test(names_the_position),        cmocka_unit_test(names_the_cell_entry),
      cmocka_unit_test(refuses_short_rows),        cmocka_unit_test(refuses_parallel_rows),
      cmocka_unit_test(refuses_coplanar_rows),     cmocka_unit_test(volume_is_relative_to_the_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
