#include "irrep/hessian.h"
#include "irrep/md.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define ATOMS_MAX 5
#define N_MAX (3 * ATOMS_MAX)

/* sqrt(1 eV/Angstrom^2/u) in 1/cm, and 1/cm in eV, of CODATA 2014. */
#define WAVE_NUMBER 521.4709004010551
#define ENERGY 1.239841973964072e-4

struct trial {
  struct irrep_structure structure;
  const double *masses;
  double matrix[N_MAX * N_MAX], frequencies[N_MAX], modes[N_MAX * N_MAX];
  struct irrep_modes found;
};

static const int32_t numbers[ATOMS_MAX] = {6, 8, 1, 1, 7};

/* Springs of 20, 17, 14 .. eV/Angstrom^2 between all pairs, at rest; less `soft` of the first. */
static void start(struct trial *t, size_t n_atoms, const double *positions, double soft) {
  const size_t n = 3 * n_atoms;
  double k = 20.0;
  *t = (struct trial){.structure = IRREP_STRUCTURE_INIT, .found = IRREP_MODES_INIT};
  t->structure.n_atoms = n_atoms;
  t->structure.numbers = numbers;
  t->structure.positions = positions;
  for (size_t i = 0; i < n_atoms; i++)
    for (size_t j = i + 1; j < n_atoms; j++, k -= 3.0) {
      double d[3], square = 0.0;
      for (size_t a = 0; a < 3; a++) {
        d[a] = positions[3 * j + a] - positions[3 * i + a];
        square += d[a] * d[a];
      }
      for (size_t a = 0; a < 3; a++)
        for (size_t b = 0; b < 3; b++) {
          const double h = (i + j == 1 ? k - soft : k) * d[a] * d[b] / square;
          t->matrix[(3 * i + a) * n + 3 * i + b] += h;
          t->matrix[(3 * j + a) * n + 3 * j + b] += h;
          t->matrix[(3 * i + a) * n + 3 * j + b] -= h;
          t->matrix[(3 * j + a) * n + 3 * i + b] -= h;
        }
    }
}

static enum irrep_status find(struct trial *t) {
  return irrep_normal_modes(&t->structure, t->masses, t->matrix, t->frequencies, t->modes,
                            &t->found, NULL);
}

static double mass_of(const struct trial *t, size_t i) {
  return t->masses ? t->masses[i / 3] : irrep_atomic_mass(numbers[i / 3]);
}

/* Modes are orthonormal; those that are not rigid are eigenvectors with their frequencies. */
static void check(struct trial *t, size_t n_rigid) {
  const size_t n = 3 * t->structure.n_atoms;
  size_t n_zero = 0;
  double energy = 0.0;
  for (size_t own = 0; own < 2; own++) {
    t->found.own_products = own;
    assert_int_equal(find(t), IRREP_OK);
    assert_int_equal(t->found.n_rigid, n_rigid);
  }
  for (size_t k = 0; k < n; k++) {
    const double f = t->frequencies[k], value = f * fabs(f) / WAVE_NUMBER / WAVE_NUMBER;
    const double *v = t->modes + k * n;
    n_zero += f == 0.0;
    energy += f > 0.0 ? 0.5 * f * ENERGY : 0.0;
    assert_true(k == 0 || f >= t->frequencies[k - 1]);
    for (size_t l = 0; l < n; l++) {
      double dot = 0.0;
      for (size_t i = 0; i < n; i++)
        dot += v[i] * t->modes[l * n + i];
      assert_true(fabs(dot - (k == l)) < 1e-12);
    }
    for (size_t i = 0; i < n; i++) {
      double sum = 0.0;
      for (size_t j = 0; j < n; j++)
        sum += t->matrix[i * n + j] / sqrt(mass_of(t, i) * mass_of(t, j)) * v[j];
      assert_true(fabs(sum - value * v[i]) < 1e-7);
    }
  }
  assert_int_equal(n_zero, n_rigid);
  assert_true(fabs(t->found.zero_point_energy - energy) < 1e-10);
}

static const double bent[N_MAX] = {0.0, 0.1,  0.0,  1.2, 0.0, 0.3, -0.5, 0.9,
                                   0.0, -0.6, -0.8, 0.4, 0.2, 0.3, 1.4};

static void test_a_diatomic(void **state) {
  (void)state;
  struct trial t;
  const double masses[2] = {12.0, 16.0}, place[6] = {0, 0, 0, 0.4, 0.5, 0.6};
  start(&t, 2, place, 0.0);
  t.masses = masses;
  check(&t, 5);
  const double expected = sqrt(20.0 / (12.0 * 16.0 / 28.0)) * WAVE_NUMBER;
  assert_true(fabs(t.frequencies[5] - expected) < 1e-4);
}

static void test_rigid_motions(void **state) {
  (void)state;
  struct trial t;
  start(&t, 4, bent, 0.0);
  check(&t, 6);
  start(&t, 5, bent, 0.0);
  check(&t, 6);
  const double line[9] = {0, 0, 0, 1.1, 1.1, -1.1, -1.2, -1.2, 1.2};
  start(&t, 3, line, 0.0); /* bending costs nothing, and is no rigid motion */
  assert_int_equal(find(&t), IRREP_OK);
  assert_int_equal(t.found.n_rigid, 5);
  start(&t, 1, bent, 0.0);
  check(&t, 3);
}

static void test_one_periodic_axis_leaves_translations(void **state) {
  (void)state;
  struct trial t;
  start(&t, 4, bent, 0.0);
  t.structure.pbc[1] = true;
  assert_int_equal(find(&t), IRREP_OK);
  assert_int_equal(t.found.n_rigid, 3);
}

/* What a Hessian has along rigid motions, as away from a minimum, is projected out. */
static void test_gradients_do_not_matter(void **state) {
  (void)state;
  struct trial t, tilted;
  start(&t, 4, bent, 0.0);
  check(&t, 6);
  tilted = t;
  for (size_t i = 0; i < 12; i++)
    for (size_t j = 0; j < 12; j++)
      tilted.matrix[i * 12 + j] +=
          0.02 * mass_of(&t, i) * mass_of(&t, j) * (i % 3 == 0) * (j % 3 == 0);
  assert_int_equal(find(&tilted), IRREP_OK);
  for (size_t k = 0; k < 12; k++)
    assert_true(fabs(tilted.frequencies[k] - t.frequencies[k]) < 1e-5);
}

static void test_imaginary_ones_are_negative(void **state) {
  (void)state;
  struct trial t;
  start(&t, 4, bent, 60.0);
  check(&t, 6);
  assert_true(t.frequencies[0] < -100.0 && t.frequencies[11] > 100.0);
}

static void test_refusals(void **state) {
  (void)state;
  struct trial t;
  start(&t, 4, bent, 0.0);
  t.matrix[5] = t.matrix[60] = (double)NAN;
  assert_int_equal(find(&t), IRREP_NOT_FINITE);
  start(&t, 4, bent, 0.0);
  const double masses[4] = {1.0, 0.0, 1.0, 1.0};
  t.masses = masses;
  assert_int_equal(find(&t), IRREP_BAD_ARGUMENT);
  start(&t, 4, bent, 0.0);
  t.found.struct_size = 1;
  assert_int_equal(find(&t), IRREP_BAD_ARGUMENT);
  start(&t, 4, bent, 0.0);
  t.structure.n_atoms = 0;
  assert_int_equal(find(&t), IRREP_NO_ATOMS);
  t.structure.n_atoms = IRREP_HESSIAN_ATOMS_MAX + 1;
  assert_int_equal(find(&t), IRREP_TOO_LARGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_diatomic),
      cmocka_unit_test(test_rigid_motions),
      cmocka_unit_test(test_one_periodic_axis_leaves_translations),
      cmocka_unit_test(test_gradients_do_not_matter),
      cmocka_unit_test(test_imaginary_ones_are_negative),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
