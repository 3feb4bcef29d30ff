#include "irrep/hessian.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define N 9 /* coordinates of three atoms */

static const int32_t numbers[] = {8, 1, 1};
static const double places[N] = {0.1, 0.2, -0.3, 0.9, 0.1, 0.0, -0.2, 0.95, 0.1};

static struct irrep_structure water(void) {
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  s.n_atoms = 3;
  s.numbers = numbers;
  s.positions = places;
  return s;
}

/* E = sum over pairs of coordinates of exp(a_ij x_i x_j) / 10, with all derivatives. */
static double weight(size_t i, size_t j) {
  return 0.3 + 0.05 * (double)((i + j) % 7) - 0.02 * (double)(i * j % 5);
}

static void forces_at(const double *x, double *forces) {
  for (size_t i = 0; i < N; i++)
    forces[i] = 0.0;
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      const double e = 0.1 * weight(i, j) * exp(weight(i, j) * x[i] * x[j]);
      forces[i] -= e * x[j];
      forces[j] -= e * x[i];
    }
}

static void exact(double h[N][N]) {
  memset(h, 0, N * sizeof *h);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      const double w = weight(i, j), xi = places[i], xj = places[j], e = 0.1 * exp(w * xi * xj);
      h[i][i] += w * w * xj * xj * e;
      h[j][j] += w * w * xi * xi * e;
      h[i][j] += (w + w * w * xi * xj) * e;
      h[j][i] += (w + w * w * xi * xj) * e;
    }
}

/* Tells all that is wanted; noise [eV/Angstrom] is added to each force, alternating. */
static size_t evaluate(struct irrep_hessian *hessian, double noise) {
  size_t n = 0;
  for (size_t wanted; (wanted = irrep_hessian_wanted(hessian)) > 0; n++) {
    double x[N], last[N], forces[N];
    irrep_hessian_positions(hessian, 0, x);
    irrep_hessian_positions(hessian, wanted - 1, last);
    assert_true(wanted == 1 || memcmp(x, last, sizeof x) != 0);
    assert_null(irrep_hessian_values(hessian));
    forces_at(x, forces);
    for (size_t i = 0; i < N; i++)
      forces[i] += noise * sin(1e6 * (double)(n * N + i));
    assert_int_equal(irrep_hessian_tell(hessian, forces, NULL), IRREP_OK);
  }
  return n;
}

static double error_of(const struct irrep_hessian *hessian) {
  const double *found = irrep_hessian_values(hessian);
  double h[N][N], most = 0.0;
  exact(h);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      most = fmax(most, fabs(found[i * N + j] - h[i][j]));
      assert_true(found[i * N + j] == found[j * N + i]);
    }
  return most;
}

static void test_chooses_its_step_by_error(void **state) {
  (void)state;
  const struct irrep_structure s = water();
  struct irrep_hessian *hessian;
  assert_int_equal(irrep_hessian_new(&s, 0.0, &hessian, NULL), IRREP_OK);
  assert_int_equal(evaluate(hessian, 0.0), 12 + 2 * N);
  assert_true(error_of(hessian) < 1e-8);
  assert_true(irrep_hessian_asymmetry(hessian) < 1e-8);
  const double fine = irrep_hessian_step(hessian);
  irrep_hessian_free(hessian);
  /* Forces that are worth less want larger steps. */
  assert_int_equal(irrep_hessian_new(&s, 0.0, &hessian, NULL), IRREP_OK);
  evaluate(hessian, 1e-7);
  assert_true(irrep_hessian_step(hessian) > fine);
  assert_true(error_of(hessian) < 1e-3);
  irrep_hessian_free(hessian);
}

static void test_takes_a_step(void **state) {
  (void)state;
  const struct irrep_structure s = water();
  struct irrep_hessian *hessian;
  assert_int_equal(irrep_hessian_new(&s, 1e-3, &hessian, NULL), IRREP_OK);
  assert_int_equal(irrep_hessian_wanted(hessian), 2 * N);
  double x[N];
  irrep_hessian_positions(hessian, 0, x);
  assert_true(x[0] == places[0] + 1e-3);
  assert_memory_equal(x + 1, places + 1, (N - 1) * sizeof *x);
  irrep_hessian_positions(hessian, 2 * N - 1, x);
  assert_true(x[N - 1] == places[N - 1] - 1e-3);
  assert_int_equal(evaluate(hessian, 0.0), 2 * N);
  assert_true(irrep_hessian_step(hessian) == 1e-3);
  assert_true(error_of(hessian) < 1e-6);
  assert_true(irrep_hessian_asymmetry(hessian) > 0.0);
  assert_int_equal(irrep_hessian_tell(hessian, x, NULL), IRREP_BAD_ARGUMENT);
  irrep_hessian_free(hessian);
}

/* An atom has fewer coordinates than steps are tried. */
static void test_one_atom(void **state) {
  (void)state;
  struct irrep_structure s = water();
  struct irrep_hessian *hessian;
  const double nothing[3] = {0.0};
  s.n_atoms = 1;
  assert_int_equal(irrep_hessian_new(&s, 0.0, &hessian, NULL), IRREP_OK);
  while (irrep_hessian_wanted(hessian) > 0)
    assert_int_equal(irrep_hessian_tell(hessian, nothing, NULL), IRREP_OK);
  for (size_t i = 0; i < 9; i++)
    assert_true(irrep_hessian_values(hessian)[i] == 0.0);
  irrep_hessian_free(hessian);
}

static void test_refusals(void **state) {
  (void)state;
  struct irrep_structure s = water();
  struct irrep_hessian *hessian;
  struct irrep_error error;
  double forces[N] = {0.0};
  assert_int_equal(irrep_hessian_new(&s, -1e-3, &hessian, &error), IRREP_BAD_ARGUMENT);
  assert_int_equal(irrep_hessian_new(&s, 0.2, &hessian, &error), IRREP_BAD_ARGUMENT);
  assert_int_equal(irrep_hessian_new(&s, (double)NAN, &hessian, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "step");
  assert_null(hessian);
  assert_int_equal(irrep_hessian_new(&s, 0.0, &hessian, NULL), IRREP_OK);
  forces[4] = (double)INFINITY;
  assert_int_equal(irrep_hessian_tell(hessian, forces, &error), IRREP_NOT_FINITE);
  assert_int_equal(irrep_hessian_wanted(hessian), 12);
  irrep_hessian_free(hessian);
  s.n_atoms = 0;
  assert_int_equal(irrep_hessian_new(&s, 0.0, &hessian, &error), IRREP_NO_ATOMS);
  s.n_atoms = IRREP_HESSIAN_ATOMS_MAX + 1;
  assert_int_equal(irrep_hessian_new(&s, 0.0, &hessian, &error), IRREP_TOO_LARGE);
  s.struct_size = 1;
  assert_int_equal(irrep_hessian_new(&s, 0.0, &hessian, &error), IRREP_BAD_ARGUMENT);
  irrep_hessian_free(NULL);
}

static void test_bytes(void **state) {
  (void)state;
  assert_true(irrep_hessian_bytes(1000) >= 9 * 8 * 1000 * (size_t)1000);
  assert_true(irrep_hessian_bytes(1000) < 9 * 8 * 1000 * (size_t)1001);
  assert_int_equal(irrep_hessian_bytes(SIZE_MAX / 4), SIZE_MAX);
}

/* Rows come in turn; nothing is wanted behind the last. */
static void test_rows(void **state) {
  (void)state;
  const struct irrep_structure structure = water();
  struct irrep_hessian *hessian;
  struct irrep_error error;
  double h[N][N], forces[N] = {0.0};
  exact(h);
  assert_int_equal(irrep_hessian_new(&structure, 0.0, &hessian, NULL), IRREP_OK);
  assert_int_equal(irrep_hessian_tell_rows(hessian, 1, h[3], &error), IRREP_BAD_ARGUMENT);
  assert_int_equal(irrep_hessian_tell_rows(hessian, 0, h[0], NULL), IRREP_OK);
  assert_int_equal(irrep_hessian_tell_rows(hessian, 0, h[0], &error), IRREP_BAD_ARGUMENT);
  assert_null(irrep_hessian_values(hessian));
  const double before = h[4][2];
  h[4][2] = NAN;
  assert_int_equal(irrep_hessian_tell_rows(hessian, 1, h[3], &error), IRREP_NOT_FINITE);
  h[4][2] = before + 2e-3;
  assert_int_equal(irrep_hessian_tell_rows(hessian, 1, h[3], NULL), IRREP_OK);
  assert_int_equal(irrep_hessian_tell_rows(hessian, 2, h[6], NULL), IRREP_OK);
  assert_int_equal(irrep_hessian_wanted(hessian), 0);
  assert_int_equal(irrep_hessian_tell_rows(hessian, 3, h[0], &error), IRREP_BAD_ARGUMENT);
  assert_int_equal(irrep_hessian_tell(hessian, forces, &error), IRREP_BAD_ARGUMENT);
  const double *found = irrep_hessian_values(hessian);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      const bool is_off = (i == 4 && j == 2) || (i == 2 && j == 4);
      assert_true(fabs(found[N * i + j] - h[2][4] * is_off - h[i][j] * !is_off - 1e-3 * is_off) <
                  1e-12);
    }
  assert_true(fabs(irrep_hessian_asymmetry(hessian) - 1e-3) < 1e-12);
  assert_true(irrep_hessian_step(hessian) == 0.0);
  irrep_hessian_free(hessian);
  assert_int_equal(irrep_hessian_new(&structure, 0.01, &hessian, NULL), IRREP_OK);
  assert_int_equal(irrep_hessian_tell(hessian, forces, NULL), IRREP_OK);
  assert_int_equal(irrep_hessian_tell_rows(hessian, 0, h[0], &error), IRREP_BAD_ARGUMENT);
  irrep_hessian_free(hessian);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chooses_its_step_by_error),
      cmocka_unit_test(test_takes_a_step),
      cmocka_unit_test(test_one_atom),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
