#include "core/graph/basis.h"
#include "core/graph/vector3.h"
#include "tests/unit/support_arrays.h"

static const double cell[3][3] = {{3.0, 0.4, -0.2}, {1.1, 4.0, 0.3}, {-0.5, 0.7, 5.0}};

/* For each choice of periodic axes: their rows stay, the others are orthonormal to all, and duals
 * are duals. */
static void test_every_periodicity(void **state) {
  (void)state;
  for (int choice = 0; choice < 8; choice++) {
    const bool pbc[3] = {choice & 1, (choice & 2) != 0, (choice & 4) != 0};
    double basis[3][3], dual[3][3];
    basis_complete(cell, pbc, basis);
    basis_dual(basis, dual);
    for (size_t k = 0; k < 3; k++) {
      if (pbc[k])
        assert_memory_equal(basis[k], cell[k], sizeof basis[k]);
      for (size_t j = 0; j < 3; j++) {
        assert_true(fabs(vector3_dot(dual[k], basis[j]) - (j == k ? 1 : 0)) < 1e-14);
        if (!pbc[k])
          assert_true(fabs(vector3_dot(basis[k], basis[j]) - (j == k ? 1 : 0)) < 1e-14);
      }
    }
  }
}

/* What rows of open axes hold does not matter. */
static void test_open_rows_are_not_read(void **state) {
  (void)state;
  const bool pbc[3] = {false, true, false};
  double wild[3][3], basis[3][3], expected[3][3];
  memcpy(wild, cell, sizeof wild);
  for (size_t j = 0; j < 3; j++)
    wild[0][j] = wild[2][j] = (double)NAN;
  basis_complete(cell, pbc, expected);
  basis_complete(wild, pbc, basis);
  assert_memory_equal(basis, expected, sizeof basis);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_periodicity),
      cmocka_unit_test(test_open_rows_are_not_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
