#include "tests/unit/support_optimizer.h"

/* At rest; downhill; uphill, where it goes half a step back and asks again. */
static void test_by_hand(void **state) {
  (void)state;
  void *memory;
  struct optimizer fire = optimizer_new(IRREP_OPTIMIZER_FIRE2, 3, &memory);
  const double down[3] = {0, 0, 1}, up[3] = {0, 0, -2}, less[3] = {0, 0, -1}, none[3] = {0};
  double step[3];
  assert_int_equal(fire2_step(&fire, down, step), OPTIMIZER_STEP);
  assert_true(fabs(step[2] - 0.01) < 1e-15);
  assert_int_equal(fire2_step(&fire, down, step), OPTIMIZER_STEP);
  assert_true(fabs(step[2] - 0.02) < 1e-15);
  assert_int_equal(fire2_step(&fire, up, step), OPTIMIZER_ASK_AGAIN);
  assert_true(fabs(step[2] + 0.5 * 0.05 * 0.2) < 1e-15 && fire.is_half_way);
  assert_int_equal(fire2_step(&fire, less, step), OPTIMIZER_STEP);
  assert_true(fabs(step[2] + 0.05 * 0.05) < 1e-15 && !fire.is_half_way);
  /* Half way there may be no force at all. */
  assert_int_equal(fire2_step(&fire, down, step), OPTIMIZER_ASK_AGAIN);
  assert_int_equal(fire2_step(&fire, none, step), OPTIMIZER_STEP);
  assert_true(step[0] == 0 && step[2] == 0);
  free(memory);
}

/* The timestep grows after 20 steps, and falls to 2e-3 at most. */
static void test_timesteps(void **state) {
  (void)state;
  void *memory;
  struct optimizer fire = optimizer_new(IRREP_OPTIMIZER_FIRE2, 3, &memory);
  double forces[3] = {1, 2, 2}, step[3];
  for (int i = 0; i < 100; i++) {
    assert_int_equal(fire2_step(&fire, forces, step), OPTIMIZER_STEP);
    assert_true(fabs(fire.timestep - fmin(0.1 * pow(1.1, i > 20 ? i - 20 : 0), 1)) < 1e-14);
  }
  for (int i = 0; i < 20; i++) {
    for (size_t k = 0; k < 3; k++)
      forces[k] = -forces[k];
    assert_int_equal(fire2_step(&fire, forces, step), OPTIMIZER_ASK_AGAIN);
    assert_int_equal(fire2_step(&fire, forces, step), OPTIMIZER_STEP);
  }
  assert_true(fire.timestep == 2e-3 && fire.mixing == 0.25);
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_timesteps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
