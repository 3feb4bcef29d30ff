#include "core/dynamics/md.h"
#include "core/dynamics/thermostats.h"
#include "tests/unit/support_md.h"

static struct irrep_md_options chain_options(double timestep, uint64_t n_steps) {
  struct irrep_md_options o = nve_options(timestep, n_steps);
  o.ensemble = IRREP_MD_NVT;
  o.thermostat = IRREP_MD_THERMOSTAT_NOSE_HOOVER;
  o.thermostat_time = 200;
  o.temperature = 60;
  return o;
}

/* Energies of atoms and chain are exchanged, and their sum is kept; the better, with the square of
 * the timestep. */
static void test_conserved(void **state) {
  (void)state;
  double drift[2];
  for (size_t i = 0; i < 2; i++) {
    struct crystal c;
    struct irrep_md_options o = chain_options(i == 0 ? 8 : 4, i == 0 ? 250 : 500);
    crystal_init(&c, 4, 3.8, true);
    o.drift = IRREP_MD_DRIFT_USUAL;
    struct irrep_md *md = md_of(&o, &c.structure, NULL);
    md_step(md);
    const double total = frame_of(md).potential + frame_of(md).kinetic;
    irrep_md_free(md);
    md = md_of(&o, &c.structure, NULL);
    drift[i] = md_drift(md);
    const struct irrep_md_frame frame = frame_of(md);
    assert_true(fabs(frame.potential + frame.kinetic - total) > 20 * drift[i]);
    irrep_md_free(md);
  }
  assert_true(drift[0] < 2e-2);
  assert_true(drift[0] / drift[1] > 3 && drift[0] / drift[1] < 5);
}

/* By itself the chain turns back in time to where it came from. */
static void test_reversible(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = chain_options(5, 1000);
  crystal_init(&c, 2, 3.8, true);
  o.chain_length = IRREP_MD_CHAIN_MAX;
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  struct md_point *at = &md->done;
  double before[24];
  for (size_t k = 0; k < 24; k++)
    before[k] = at->v[k] *= 1.3;
  for (size_t i = 0; i < 50; i++)
    nose_hoover_atoms(md, at, 2);
  assert_true(fabs(at->v[0] / before[0] - 1) > 1e-3);
  for (size_t i = 0; i < 50; i++)
    nose_hoover_atoms(md, at, -2);
  assert_all_close(at->v, before, 24, 1e-15, 1e-11);
  assert_true(fabs(at->atoms_chain.eta[0]) < 1e-12);
  irrep_md_free(md);
}

static void test_energy_of_a_chain(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md_options o = chain_options(5, 1000);
  crystal_init(&c, 2, 3.8, true);
  struct irrep_md *md = md_of(&o, &c.structure, NULL);
  const double kt = 60 * UNITS_KB, q = kt * 200 * 200;
  assert_true(nose_hoover_energy(md, &md->done) == 0);
  md->done.atoms_chain = (struct md_chain){{0.1, 0.2, 0.3}, {1, 2, 3}};
  const double expected = kt * (21 * 0.1 + 0.2 + 0.3) + 0.5 * (1 / (21 * q) + 4 / q + 9 / q);
  assert_true(fabs(nose_hoover_energy(md, &md->done) - expected) < 1e-12 * expected);
  irrep_md_free(md);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_conserved),
                                     cmocka_unit_test(test_reversible),
                                     cmocka_unit_test(test_energy_of_a_chain)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
