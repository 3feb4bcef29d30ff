#include "tests/unit/support_optimizer.h"

#define N 6

/* H s = y after each step, the Hessian stays symmetric, and the step is |H|^-1 F, with curvatures
 * of either sign. */
static void test_secant_and_step(void **state) {
  (void)state;
  const double curvatures[N] = {9, -5, 4, 3, 2, -100};
  void *memory;
  struct optimizer bfgs = optimizer_new(IRREP_OPTIMIZER_BFGS, N, &memory);
  double x[N] = {0.1, 0.02, -0.1, 0.3, 0.2, 0.003}, forces[N], step[N], before[N], old[N];
  bool indefinite = false;
  for (int n = 0; n < 8; n++) {
    pull(N, curvatures, x, forces);
    memcpy(before, bfgs.last_x, sizeof before);
    memcpy(old, bfgs.last_forces, sizeof old);
    assert_int_equal(bfgs_step(&bfgs, x, forces, step), OPTIMIZER_STEP);
    for (size_t i = 0; i < N; i++)
      for (size_t j = 0; j < N; j++)
        assert_true(fabs(bfgs.hessian[i * N + j] - bfgs.hessian[j * N + i]) < 1e-10);
    for (size_t i = 0; i < N && n > 0; i++) {
      double y = 0;
      for (size_t j = 0; j < N; j++)
        y += bfgs.hessian[i * N + j] * (x[j] - before[j]);
      assert_true(fabs(y - (old[i] - forces[i])) < 1e-10);
    }
    double downhill = 0; /* |H| is positive definite */
    for (size_t i = 0; i < N; i++)
      downhill += step[i] * forces[i];
    assert_true(downhill > 0);
    for (size_t i = 0; i < N; i++)
      indefinite |= bfgs.hessian[i * (N + 1)] < 0;
    for (size_t i = 0; i < N; i++)
      x[i] += step[i];
  }
  assert_true(indefinite);
  free(memory);
}

static void test_nothing_is_learnt(void **state) {
  (void)state;
  void *memory;
  struct optimizer bfgs = optimizer_new(IRREP_OPTIMIZER_BFGS, N, &memory);
  const double x[N] = {0}, near[N] = {0.9e-7}, moved[N] = {0.1}, forces[N] = {0, 7, 0, 0, 0, 0};
  const double *places[4] = {x, near, moved, moved};
  double step[N];
  for (size_t k = 0; k < 4; k++) {
    assert_int_equal(bfgs_step(&bfgs, places[k], forces, step), OPTIMIZER_STEP);
    for (size_t i = 0; i < N; i++)
      for (size_t j = 0; j < N; j++)
        assert_true(bfgs.hessian[i * N + j] == (i == j ? 70 : 0));
    assert_true(fabs(step[1] - 0.1) < 1e-15);
  }
  free(memory);
}

static void test_not_finite(void **state) {
  (void)state;
  void *memory;
  struct optimizer bfgs = optimizer_new(IRREP_OPTIMIZER_BFGS, N, &memory);
  const double x[N] = {0}, moved[N] = {0.1}, forces[N] = {1}, huge[N] = {-1e200, 1e200};
  double step[N];
  assert_int_equal(bfgs_step(&bfgs, x, forces, step), OPTIMIZER_STEP);
  const enum optimizer_answer answer = bfgs_step(&bfgs, moved, huge, step);
  assert_true(answer == OPTIMIZER_FAILED || isnan(step[0]));
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_secant_and_step),
      cmocka_unit_test(test_nothing_is_learnt),
      cmocka_unit_test(test_not_finite),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
