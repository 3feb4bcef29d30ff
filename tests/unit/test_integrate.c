#include "core/dynamics/integrate.h"
#include "tests/unit/support_md.h"

/* A step turns back: velocities reversed, the same forces on the way lead to the beginning. */
static void test_reversible(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = nve_options(8, 50);
  struct irrep_md_atoms atoms = IRREP_MD_ATOMS_INIT;
  double back[3 * ARGON_MAX];
  crystal_init(&c, 3, 3.8, true);
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  const struct irrep_md_frame there = md_run(md);
  for (size_t i = 0; i < 81; i++)
    back[i] = -there.velocities[i];
  struct irrep_structure s = c.structure;
  s.positions = there.positions;
  atoms.velocities = back;
  struct irrep_md *other = md_of(&o, &s, &atoms);
  const struct irrep_md_frame here = md_run(other);
  assert_all_close(here.positions, c.positions, 81, 1e-11, 0);
  irrep_md_free(md);
  irrep_md_free(other);
}

/* Langevin, CSVR: the energy that they exchange accounts for all but the error of Verlet. */
static void test_thermostats_account(void **state) {
  (void)state;
  static const enum irrep_md_thermostat thermostats[] = {IRREP_MD_THERMOSTAT_LANGEVIN,
                                                         IRREP_MD_THERMOSTAT_CSVR};
  for (size_t t = 0; t < 2; t++) {
    double drift[2];
    for (size_t i = 0; i < 2; i++) {
      struct crystal c;
      struct irrep_md_options o = nve_options(i == 0 ? 8 : 4, i == 0 ? 100 : 200);
      o.ensemble = IRREP_MD_NVT;
      o.thermostat = thermostats[t];
      crystal_init(&c, 4, 3.8, true);
      struct irrep_md *md = md_of(&o, &c.structure, NULL);
      drift[i] = md_drift(md);
      irrep_md_free(md);
    }
    assert_true(drift[0] < 1e-2);
    assert_true(drift[0] / drift[1] > 2.5 && drift[0] / drift[1] < 6);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reversible),
                                     cmocka_unit_test(test_thermostats_account)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
