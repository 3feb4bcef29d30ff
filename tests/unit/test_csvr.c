#include "core/dynamics/md.h"
#include "core/dynamics/thermostats.h"
#include "tests/unit/support_md.h"

static struct irrep_md *free_atoms(double time, struct crystal *c) {
  struct irrep_md_options o = nve_options(10, 1u << 30);
  o.ensemble = IRREP_MD_NVT;
  o.thermostat = IRREP_MD_THERMOSTAT_CSVR;
  o.thermostat_time = time;
  o.temperature = 50;
  crystal_init(c, 3, 3.8, true);
  return md_of(&o, &c->structure, NULL);
}

/* The kinetic energy has the mean n kT / 2 and the variance n kT^2 / 2, and forgets as exp(-time):
 * Bussi, Donadio and Parrinello, eq. (9). */
static void test_statistics(void **state) {
  (void)state;
  enum { STEPS = 40000 };
  struct crystal c;
  struct irrep_md *md = free_atoms(10, &c);
  struct md_point *at = &md->done;
  double sum = 0, squares = 0, across = 0, before = 0;
  const double kt = 50 * UNITS_KB, n = md->n_free, start = 0.5 * md_kinetic_trace(md, at->v);
  for (at->step = 0; at->step < STEPS; at->step++) {
    csvr_step(md, at);
    const double away = 0.5 * md_kinetic_trace(md, at->v) / kt - 0.5 * n;
    sum += away;
    squares += away * away;
    across += away * before;
    before = away;
  }
  const double variance = 0.5 * n, slack = (1 + exp(-1)) / (1 - exp(-1));
  assert_true(n == 78);
  assert_true(fabs(sum / STEPS) < 5 * sqrt(variance / STEPS * slack));
  assert_true(fabs(squares / STEPS / variance - 1) < 5 * sqrt(2.4 / STEPS * slack));
  assert_true(fabs(across / STEPS / variance - exp(-1)) < 5 * sqrt(2.4 / STEPS * slack));
  assert_true(fabs(0.5 * md_kinetic_trace(md, at->v) + at->exchanged - start) < 1e-9);
  irrep_md_free(md);
}

/* Directions stay, and with them a momentum of zero. */
static void test_scales(void **state) {
  (void)state;
  struct crystal c;
  struct irrep_md *md = free_atoms(100, &c);
  double before[81], momentum[3] = {0};
  memcpy(before, md->done.v, sizeof before);
  csvr_step(md, &md->done);
  const double scale = md->done.v[0] / before[0];
  assert_true(scale != 1 && fabs(scale - 1) < 0.5);
  for (size_t i = 0; i < 81; i++) {
    assert_true(fabs(md->done.v[i] - scale * before[i]) < 1e-15);
    momentum[i % 3] += md->done.v[i];
  }
  assert_true(fabs(momentum[0]) + fabs(momentum[1]) + fabs(momentum[2]) < 1e-14);
  memset(md->done.v, 0, sizeof before);
  csvr_step(md, &md->done);
  assert_true(md->done.v[0] == 0);
  irrep_md_free(md);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_statistics),
                                     cmocka_unit_test(test_scales)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
