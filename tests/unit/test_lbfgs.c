#include "tests/unit/support_optimizer.h"

#define N 6

static const double curvatures[N] = {9, 5, 4, 3, 2, 1};

static void advance(struct optimizer *lbfgs, double *x, double *forces) {
  double step[N];
  pull(N, curvatures, x, forces);
  lbfgs_step(lbfgs, x, forces, step);
  for (size_t i = 0; i < N; i++)
    x[i] += step[i];
}

/* The secant equation: the newest change of the gradient, taken for a gradient, gives the newest
 * step. It holds with any number of pairs, and when the ring has gone round. */
static void test_secant(void **state) {
  (void)state;
  void *memory;
  struct optimizer lbfgs = optimizer_new(IRREP_OPTIMIZER_LBFGS, N, &memory);
  double x[N] = {0.1, 0.2, -0.1, 0.3, 0.2, -0.3}, forces[N], before[N], forces_before[N];
  advance(&lbfgs, x, forces);
  for (size_t n = 1; n < 12; n++) {
    memcpy(before, lbfgs.last_x, sizeof before);
    memcpy(forces_before, lbfgs.last_forces, sizeof before);
    advance(&lbfgs, x, forces);
    assert_int_equal(lbfgs.n_pairs, n < 5 ? n : 5);
    assert_int_equal(lbfgs.newest, (n - 1) % 5);
    /* A copy that is asked at the same place, with -y for the forces: no new pair is put, since
     * has_last is false. */
    struct optimizer copy = lbfgs;
    double y[N], s[N], step[N], last_x[N], last_forces[N];
    for (size_t i = 0; i < N; i++) {
      y[i] = forces_before[i] - lbfgs.last_forces[i];
      s[i] = lbfgs.last_x[i] - before[i];
      copy.max_step = 100;
    }
    copy.last_x = last_x;
    copy.last_forces = last_forces;
    copy.has_last = false;
    lbfgs_step(&copy, x, y, step);
    assert_all_close(step, s, N, 1e-14, 1e-9);
  }
  free(memory);
}

static void test_first_step_and_limit(void **state) {
  (void)state;
  void *memory;
  struct optimizer lbfgs = optimizer_new(IRREP_OPTIMIZER_LBFGS, N, &memory);
  const double x[N] = {0}, small[N] = {7, 0, 0, 0, 0, 0.7}, large[N] = {0, 700, 0, 70, 0, 0};
  double step[N];
  lbfgs.damping = 0.5;
  lbfgs_step(&lbfgs, x, small, step);
  assert_true(fabs(step[0] - 0.05) < 1e-15 && fabs(step[5] - 0.005) < 1e-15);
  optimizer_begin(&lbfgs);
  lbfgs_step(&lbfgs, x, large, step); /* the damping comes after the limit */
  assert_true(fabs(step[1] - 0.1) < 1e-15 && fabs(step[3] - 0.01) < 1e-15);
  free(memory);
}

/* Twice the same place, and a change across the step: nothing is learnt, nothing is divided. */
static void test_pairs_without_curvature(void **state) {
  (void)state;
  void *memory;
  struct optimizer lbfgs = optimizer_new(IRREP_OPTIMIZER_LBFGS, N, &memory);
  const double x[N] = {0.1}, moved[N] = {0.2}, forces[N] = {0, 7, 0, 0, 0, 0};
  double step[N];
  lbfgs_step(&lbfgs, x, forces, step);
  lbfgs_step(&lbfgs, x, forces, step);
  lbfgs_step(&lbfgs, moved, forces, step);
  assert_int_equal(lbfgs.n_pairs, 0);
  assert_true(fabs(step[1] - 0.1) < 1e-15);
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_secant),
      cmocka_unit_test(test_first_step_and_limit),
      cmocka_unit_test(test_pairs_without_curvature),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
