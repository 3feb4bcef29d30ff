#include "tests/unit/support_kernels.h"

#define ROWS 5
#define EDGES 11
#define COLUMNS 32
#define DIM 48

/* Edges of rows 3..7, sorted; the fourth of these has none. */
static const uint32_t receivers[EDGES] = {3, 3, 4, 4, 4, 5, 7, 7, 7, 7, 7};
#define FIRST_ROW 3

static void check_sums(const struct kernels *kernels) {
  struct rng rng = {1};
  struct reals filters = reals_random(kernels, &rng, EDGES * COLUMNS);
  double sums[ROWS] = {1, 2, 3, 4, 5}, expected[ROWS] = {1, 2, 3, 4, 5}, grad_sums[ROWS];
  double grad[EDGES], expected_grad[EDGES];
  rng_fill(&rng, ROWS, grad_sums);
  for (size_t e = 0; e < EDGES; e++) {
    grad[e] = expected_grad[e] = (double)e;
    expected[receivers[e] - FIRST_ROW] += filters.exact[e * COLUMNS];
    expected_grad[e] += grad_sums[receivers[e] - FIRST_ROW] * filters.exact[e * COLUMNS];
  }
  kernels->density(EDGES, COLUMNS, receivers, FIRST_ROW, filters.data, sums);
  kernels->density_adjoint(EDGES, COLUMNS, receivers, FIRST_ROW, filters.data, grad_sums, grad);
  assert_all_close(sums, expected, ROWS, 1e-14, 0.0);
  assert_all_close(grad, expected_grad, EDGES, 1e-14, 1e-15);
  reals_free(&filters);
}

static void test_sums(void **state) {
  (void)state;
  for_each_table(check_sums);
}

static const double divisors[ROWS] = {1.0, 0.5, 3.0, 7.0, 100.0};

static void check_division(const struct kernels *kernels) {
  const double epsilon = epsilon_of(kernels);
  struct rng rng = {2};
  struct reals x = reals_random(kernels, &rng, ROWS * DIM);
  struct reals gy = reals_random(kernels, &rng, ROWS * DIM);
  struct reals before = reals_random(kernels, &rng, ROWS * DIM);
  struct reals y = reals_zero(kernels, ROWS * DIM), gx = reals_random(kernels, &rng, ROWS * DIM);
  struct reals added = reals_of(kernels, ROWS * DIM, before.exact);
  double grad[ROWS], grad_added[ROWS];
  kernels->divide(ROWS, DIM, divisors, x.data, y.data);
  kernels->divide_adjoint(ROWS, DIM, divisors, x.data, gy.data, gx.data, false, grad);
  kernels->divide_adjoint(ROWS, DIM, divisors, x.data, gy.data, added.data, true, grad_added);
  reals_read(&y);
  reals_read(&gx);
  reals_read(&added);
  for (size_t r = 0; r < ROWS; r++) {
    double sum = 0.0, size = 0.0;
    for (size_t i = r * DIM; i < (r + 1) * DIM; i++) {
      const double expected[3] = {x.exact[i] / divisors[r], gy.exact[i] / divisors[r],
                                  before.exact[i] + gy.exact[i] / divisors[r]};
      const double actual[3] = {y.exact[i], gx.exact[i], added.exact[i]};
      assert_all_close(actual, expected, 3, epsilon, 2 * epsilon);
      sum -= x.exact[i] * gy.exact[i] / (divisors[r] * divisors[r]);
      size += fabs(x.exact[i] * gy.exact[i]) / (divisors[r] * divisors[r]);
    }
    assert_all_close(&grad[r], &sum, 1, 16 * epsilon * size, 0.0);
    assert_true(grad[r] == grad_added[r]);
  }
  reals_free(&x);
  reals_free(&gy);
  reals_free(&before);
  reals_free(&y);
  reals_free(&gx);
  reals_free(&added);
}

static void test_division(void **state) {
  (void)state;
  for_each_table(check_division);
}

static double objective(const double *values, void *context) {
  const struct reals *gy = context;
  double out[ROWS * DIM] __attribute__((aligned(IRREP_ALIGNMENT)));
  gy->kernels->divide(ROWS, DIM, values + ROWS * DIM, values, out);
  return dot(ROWS * DIM, out, gy->exact);
}

/* By the rows and by their divisors, which stand behind them. */
static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  struct rng rng = {3};
  double *values = doubles_new(ROWS * DIM + ROWS), *grad = doubles_new(ROWS * DIM + ROWS);
  struct reals gy = reals_random(kernels, &rng, ROWS * DIM);
  rng_fill(&rng, ROWS * DIM, values);
  for (size_t r = 0; r < ROWS; r++)
    values[ROWS * DIM + r] = 1.0 + (double)r;
  kernels->divide_adjoint(ROWS, DIM, values + ROWS * DIM, values, gy.data, grad, false,
                          grad + ROWS * DIM);
  assert_gradient(objective, &gy, ROWS * DIM + ROWS, values, grad, 1e-3, 1e-11);
  free(values);
  free(grad);
  reals_free(&gy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sums),
      cmocka_unit_test(test_division),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
