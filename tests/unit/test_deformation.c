#include "core/dynamics/deformation.h"
#include "core/dynamics/matrix3.h"
#include "tests/unit/support_arrays.h"

#define N_ATOMS 4
#define N_DOFS (3 * N_ATOMS + 9)

static const double start[3][3] = {{4.0, 0.3, 0.0}, {-0.2, 5.0, 0.4}, {0.1, 0.0, 6.0}};

static struct deformation deformation_of(enum irrep_relax_cell kind, double pressure) {
  struct deformation d = {.kind = kind, .n_atoms = N_ATOMS, .pressure = pressure};
  memset(d.mask, true, sizeof d.mask);
  memcpy(d.start, start, sizeof start);
  deformation_begin(&d);
  return d;
}

/* Springs between the atoms, and of each one to the images of itself along the first two lattice
 * vectors; the slope by the cell is at fixed fractional coordinates. */
static double energy_of(const double *r, const double cell[3][3], double *forces,
                        double virial[3][3]) {
  double energy = 0;
  memset(forces, 0, 3 * N_ATOMS * sizeof *forces);
  memset(virial, 0, sizeof(matrix3));
  for (size_t i = 0; i < N_ATOMS; i++)
    for (size_t k = 0; k < 3; k++) {
      const size_t j = (i + 1) % N_ATOMS;
      double v[3], length = 0;
      for (size_t a = 0; a < 3; a++) {
        v[a] = k < 2 ? cell[k][a] : r[3 * j + a] - r[3 * i + a];
        length += v[a] * v[a];
      }
      length = sqrt(length);
      energy += (length - 2.5) * (length - 2.5);
      for (size_t a = 0; a < 3; a++) {
        const double slope = 2 * (length - 2.5) * v[a] / length;
        forces[3 * i + a] += k < 2 ? 0 : slope;
        forces[3 * j + a] -= k < 2 ? 0 : slope;
        for (size_t b = 0; b < 3; b++)
          virial[a][b] -= slope * v[b];
      }
    }
  return energy;
}

/* The enthalpy at given degrees of freedom. */
static double enthalpy(const double *dofs, void *context) {
  struct deformation d = *(const struct deformation *)context;
  matrix3 logarithm, virial;
  double positions[3 * N_ATOMS], forces[3 * N_ATOMS];
  for (size_t i = 0; i < 9; i++)
    (&logarithm[0][0])[i] = dofs[3 * N_ATOMS + i] / N_ATOMS;
  assert_true(deformation_set(&d, logarithm));
  deformation_positions(&d, dofs, N_ATOMS, positions);
  return energy_of(positions, d.cell, forces, virial) +
         d.pressure * fabs(matrix3_determinant(d.cell));
}

/* Generalised forces are minus the slopes of the enthalpy, far from the start too. */
static void test_forces_are_slopes(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed < 6; seed++) {
    struct rng rng = {seed};
    struct deformation d = deformation_of(IRREP_RELAX_CELL_FULL, 0.02);
    double dofs[N_DOFS], positions[3 * N_ATOMS], forces[3 * N_ATOMS], generalised[N_DOFS];
    matrix3 logarithm, virial, stress;
    rng_fill(&rng, N_DOFS, dofs);
    for (size_t i = 0; i < 3 * N_ATOMS; i++)
      dofs[i] *= 3;
    /* A symmetric logarithm, since stress has nothing to say of turns. */
    for (size_t i = 0; i < 3; i++)
      for (size_t j = 0; j < 3; j++)
        logarithm[i][j] = 0.2 * (dofs[12 + 3 * (i < j ? i : j) + (i < j ? j : i)]);
    for (size_t i = 0; i < 9; i++)
      dofs[12 + i] = N_ATOMS * (&logarithm[0][0])[i];
    assert_true(deformation_set(&d, logarithm));
    assert_all_close(&d.logarithm[0][0], &logarithm[0][0], 9, 1e-13, 0);
    deformation_positions(&d, dofs, N_ATOMS, positions);
    (void)energy_of(positions, d.cell, forces, virial);
    for (size_t i = 0; i < 9; i++)
      (&stress[0][0])[i] = -(&virial[0][0])[i] / fabs(matrix3_determinant(d.cell));
    assert_true(deformation_forces(&d, forces, stress, generalised));
    for (size_t i = 0; i < N_DOFS; i++)
      generalised[i] = -generalised[i];
    assert_gradient(enthalpy, &d, N_DOFS, dofs, generalised, 1e-3, 1e-8);
  }
}

static void test_volume_and_shape(void **state) {
  (void)state;
  const matrix3 stress = {{0.3, 0.1, -0.2}, {0.1, -0.5, 0.05}, {-0.2, 0.05, 0.2}};
  const double forces[3 * N_ATOMS] = {0}, volume = matrix3_determinant(start);
  double out[N_DOFS];
  const struct deformation by_volume = deformation_of(IRREP_RELAX_CELL_VOLUME, 0.1);
  const struct deformation by_shape = deformation_of(IRREP_RELAX_CELL_SHAPE, 0);
  assert_true(deformation_forces(&by_volume, forces, stress, out));
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      assert_true(fabs(out[12 + 3 * i + j] + (i == j ? 0.1 * volume / N_ATOMS : 0)) < 1e-14);
  assert_true(deformation_forces(&by_shape, forces, stress, out));
  assert_true(fabs(out[12] + out[16] + out[20]) < 1e-14);
  assert_true(fabs(out[13] + 0.1 * volume / N_ATOMS) < 1e-14);
}

static void test_mask(void **state) {
  (void)state;
  struct deformation d = deformation_of(IRREP_RELAX_CELL_FULL, 0);
  const matrix3 stress = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
  const matrix3 logarithm = {{0.1, 0.05, 0}, {0.05, 0.1, 0}, {0, 0, -0.1}};
  const double forces[3 * N_ATOMS] = {0};
  double out[N_DOFS];
  memset(d.mask, false, sizeof d.mask);
  d.mask[2][2] = true;
  assert_true(deformation_forces(&d, forces, stress, out));
  for (size_t i = 0; i < 8; i++)
    assert_true(out[12 + i] == 0);
  assert_true(out[20] < -1);
  assert_true(deformation_set(&d, logarithm));
  assert_memory_equal(d.cell[0], start[0], 2 * sizeof(double)); /* their z are zero and 0.4 */
  assert_true(fabs(d.cell[2][2] - 6 * exp(-0.1)) < 1e-14);
}

/* Deformations that are refused leave everything as it was. */
static void test_refused(void **state) {
  (void)state;
  struct deformation d = deformation_of(IRREP_RELAX_CELL_FULL, 0), before;
  const matrix3 calm = {{0.1, 0, 0}}, shrunk = {{-1, 0, 0}, {0, -1, 0}, {0, 0, -0.1}};
  const matrix3 blown = {{1, 0, 0}, {0, 1, 0}, {0, 0, 0.1}}, none = {{(double)NAN, 0, 0}};
  const matrix3 sheared = {{0, 3.9, 0}, {0, 0, 0}, {0, 0, 0}}, less = {{0, 3.0, 0}};
  const matrix3 flat = {{4, 0, 0}, {0, 5, 0}, {4, 5, 0}};
  assert_true(deformation_set(&d, calm));
  before = d;
  assert_false(deformation_set(&d, shrunk));
  assert_false(deformation_set(&d, blown));
  assert_false(deformation_set(&d, sheared));
  assert_false(deformation_set(&d, none));
  assert_false(deformation_set_cell(&d, flat));
  assert_memory_equal(&d, &before, sizeof d);
  assert_true(deformation_set(&d, less));
}

static void test_set_cell(void **state) {
  (void)state;
  struct deformation d = deformation_of(IRREP_RELAX_CELL_FULL, 0), again = d;
  const matrix3 logarithm = {{0.1, 0.05, -0.1}, {0.05, 0.1, 0}, {-0.1, 0, -0.1}};
  assert_true(deformation_set(&d, logarithm));
  assert_true(deformation_set_cell(&again, d.cell));
  assert_all_close(&again.gradient[0][0], &d.gradient[0][0], 9, 1e-14, 0);
  assert_all_close(&again.logarithm[0][0], &logarithm[0][0], 9, 1e-14, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forces_are_slopes),
      cmocka_unit_test(test_volume_and_shape),
      cmocka_unit_test(test_mask),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_set_cell),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
