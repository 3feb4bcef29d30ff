#include "tests/unit/support_optimizer.h"

/* The first steps by hand: at rest; downhill, where velocity and force are parallel; uphill. */
static void test_by_hand(void **state) {
  (void)state;
  void *memory;
  struct optimizer fire = optimizer_new(IRREP_OPTIMIZER_FIRE, 3, &memory);
  const double down[3] = {0, 0, 1}, up[3] = {0, 0, -2};
  double step[3];
  fire_step(&fire, down, step);
  assert_true(fabs(step[2] - 0.01) < 1e-15 && step[0] == 0);
  fire_step(&fire, down, step); /* v = 0.9 * 0.1 + 0.1 * 0.1 + 0.1 */
  assert_true(fabs(step[2] - 0.02) < 1e-15);
  assert_int_equal(fire.n_downhill, 1);
  fire_step(&fire, up, step);
  assert_true(fabs(step[2] + 0.05 * 0.05 * 2) < 1e-15);
  assert_true(fire.timestep == 0.05 && fire.n_downhill == 0);
  free(memory);
}

/* After six steps downhill the timestep grows, up to 1, and the mixing falls. */
static void test_it_speeds_up(void **state) {
  (void)state;
  void *memory;
  struct optimizer fire = optimizer_new(IRREP_OPTIMIZER_FIRE, 3, &memory);
  const double forces[3] = {1, 2, 2};
  double step[3];
  for (int i = 0; i < 100; i++) {
    fire_step(&fire, forces, step);
    const int grown = i > 6 ? i - 6 : 0;
    assert_true(fabs(fire.timestep - fmin(0.1 * pow(1.1, grown), 1)) < 1e-14);
    assert_true(fabs(fire.mixing - 0.1 * pow(0.99, grown)) < 1e-14);
    assert_true(sqrt(dot(3, step, step)) <= 0.2 * (1 + 1e-14));
  }
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_it_speeds_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
