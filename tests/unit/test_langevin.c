#include "core/dynamics/md.h"
#include "core/dynamics/thermostats.h"
#include "tests/unit/support_md.h"

static struct irrep_md *free_atoms(double friction, double temperature, struct crystal *c) {
  struct irrep_md_options o = nve_options(10, 1u << 20);
  o.ensemble = IRREP_MD_NVT;
  o.friction = friction;
  o.temperature = temperature;
  o.drift = IRREP_MD_DRIFT_KEEP;
  crystal_init(c, 5, 3.8, true);
  return md_of(&o, &c->structure, NULL);
}

/* Velocities forget as exp(-friction time), and keep the variance kT / m; what the heat bath gives
 * is what the kinetic energy gains. */
static void test_statistics(void **state) {
  (void)state;
  enum { STEPS = 400 };
  struct crystal c;
  struct irrep_md *md = free_atoms(20, 50, &c);
  struct md_point *at = &md->done;
  double squares = 0, across = 0, before[3 * ARGON_MAX];
  const double n = 3.0 * ARGON_MAX * STEPS, width = 50 * UNITS_KB / md_mass(md, 0);
  const double start = 0.5 * md_kinetic_trace(md, at->v);
  for (at->step = 0; at->step < STEPS; at->step++) {
    memcpy(before, at->v, sizeof before);
    langevin_step(md, at);
    for (size_t i = 0; i < 3 * ARGON_MAX; i++) {
      squares += at->v[i] * at->v[i] / width;
      across += at->v[i] * before[i] / width;
    }
  }
  /* neighbouring values are not independent: (1 + c^2) / (1 - c^2) more variance, c = exp(-0.2) */
  assert_true(fabs(squares / n - 1) < 5 * sqrt(2 / n * 5.1));
  assert_true(fabs(across / n - exp(-0.2)) < 5 * sqrt(2 / n * 5.1));
  assert_true(fabs(0.5 * md_kinetic_trace(md, at->v) + at->exchanged - start) < 1e-9);
  irrep_md_free(md);
}

/* At 0 K friction alone is left. */
static void test_cold(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md *md = free_atoms(3, 300, &c);
  md->options.temperature = 0;
  const double before = md->done.v[7];
  langevin_step(md, &md->done);
  assert_true(fabs(md->done.v[7] - before * exp(-0.03)) < 1e-15);
  irrep_md_free(md);
}

/* The noise of a step does not depend on the steps before it, nor on the other atoms. */
static void test_noise_is_a_function(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md *one = free_atoms(3, 300, &c), *other = free_atoms(3, 300, &c);
  other->n_atoms = 50;
  one->done.step = other->done.step = 123456789;
  langevin_step(one, &one->done);
  langevin_step(other, &other->done);
  assert_memory_equal(one->done.v, other->done.v, 150 * sizeof(double));
  irrep_md_free(one);
  irrep_md_free(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_statistics), cmocka_unit_test(test_cold),
                                     cmocka_unit_test(test_noise_is_a_function)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
