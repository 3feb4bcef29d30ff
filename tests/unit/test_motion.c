#include "core/dynamics/md.h"
#include "tests/unit/support_md.h"

static void test_units(void **state) {
  (void)state;
  /* ase.units: fs, kB, GPa; a mass in u is one in eV (Angstrom/ASE's unit of time)^2 */
  const double fs = 0.09822694788464063, kb = 8.617330337217213e-05, gpa = 0.006241509125883258;
  assert_true(fabs(UNITS_MASS * fs * fs - 1) < 1e-15);
  assert_true(fabs(UNITS_KB / kb - 1) < 1e-15);
  assert_true(fabs(UNITS_GPA / gpa - 1) < 1e-15);
}

static void test_temperatures(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(1, 10);
  crystal_init(&c, 2, 3.8, true);
  o.ensemble = IRREP_MD_NVT;
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  assert_true(md_kt(md, 7) == 40 * UNITS_KB);
  irrep_md_free(md);
  o.has_ramp = true;
  o.temperature_end = 0;
  md = md_of(&o, &c.structure, NULL);
  assert_true(md_kt(md, 0) == 40 * UNITS_KB && md_kt(md, 10) == 0);
  assert_true(fabs(md_kt(md, 5) - 20 * UNITS_KB) < 1e-18);
  assert_true(md_run(md).target == 0);
  irrep_md_free(md);
}

static void test_volume(void **state) {
  (void)state;
  const double cell[3][3] = {{2, 0, 0}, {1, 3, 0}, {5, 6, -4}};
  assert_true(md_volume(cell) == 24);
}

static void test_kinetic(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(1, 0);
  crystal_init(&c, 3, 3.8, true);
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  double matrix[3][3], expected[3][3] = {{0}};
  md_kinetic(md, md->done.v, matrix);
  for (size_t i = 0; i < 27; i++)
    for (size_t k = 0; k < 9; k++)
      expected[k / 3][k % 3] +=
          39.948 * UNITS_MASS * md->done.v[3 * i + k / 3] * md->done.v[3 * i + k % 3];
  assert_all_close(matrix[0], expected[0], 9, 1e-15, 1e-12);
  assert_true(fabs(md_kinetic_trace(md, md->done.v) - expected[0][0] - expected[1][1] -
                   expected[2][2]) < 1e-12);
  irrep_md_free(md);
}

/* Atoms that are fixed stay where they are, to the bit, and the others do not. */
static void test_fixed(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_atoms atoms = IRREP_MD_ATOMS_INIT;
  const uint32_t fixed[2] = {6, 0};
  static const enum irrep_md_thermostat thermostats[] = {
      IRREP_MD_THERMOSTAT_LANGEVIN, IRREP_MD_THERMOSTAT_CSVR, IRREP_MD_THERMOSTAT_NOSE_HOOVER};
  atoms.fixed = fixed;
  atoms.n_fixed = 2;
  for (size_t t = 0; t < 3; t++) {
    struct irrep_md_options o = nve_options(4, 20);
    crystal_init(&c, 2, 3.8, true);
    o.ensemble = IRREP_MD_NVT;
    o.thermostat = thermostats[t];
    struct irrep_md *md = md_of(&o, &c.structure, &atoms);
    const struct irrep_md_frame frame = md_run(md);
    for (size_t i = 0; i < 24; i++) {
      const bool is_fixed = i / 3 == 0 || i / 3 == 6;
      assert_int_equal(frame.positions[i] == c.positions[i], is_fixed);
      assert_int_equal(frame.velocities[i] == 0, is_fixed);
    }
    assert_true(frame.forces[0] != 0);
    irrep_md_free(md);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_units), cmocka_unit_test(test_temperatures),
      cmocka_unit_test(test_volume), cmocka_unit_test(test_kinetic), cmocka_unit_test(test_fixed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
