#include "tests/unit/support_channels.h"

#define N_WEIGHTS 2 /* gains and shares */
#define EPSILON 1e-12

static const struct norm op = {DIM, 0, DIM, EPSILON};

static void weights_fill(struct rng *rng, double *weights) {
  for (size_t i = 0; i < DIM; i++) {
    weights[i] = is_padding(i) ? 0.0 : 1.0 + 0.3 * rng_next(rng);
    weights[DIM + i] = is_padding(i) ? 0.0 : 1.0 / (2 * (i < N_FIRST ? N_FIRST : N_SECOND));
  }
}

static void forward(const struct kernels *kernels, size_t rows, const void *weights, const void *x,
                    void *y) {
  kernels->norm(&op, rows, weights, x, y);
}

static void adjoint(const struct kernels *kernels, size_t rows, const void *weights, const void *x,
                    const void *gy, void *gx, bool adds) {
  kernels->norm_adjoint(&op, rows, weights, x, gy, gx, adds);
}

static double mean_square(const double *shares, const double *x) {
  double sum = EPSILON;
  for (size_t i = 0; i < DIM; i++)
    sum += shares[i] * x[i] * x[i];
  return sum;
}

static void forward_row(const double *weights, const double *x, double *y) {
  const double root = sqrt(mean_square(weights + DIM, x));
  for (size_t i = 0; i < DIM; i++)
    y[i] = weights[i] * x[i] / root;
}

/* The derivative of each y[j] by each x[i], by the quotient rule. */
static void adjoint_row(const double *weights, const double *x, const double *gy, double *gx) {
  const double square = mean_square(weights + DIM, x);
  for (size_t i = 0; i < DIM; i++)
    for (size_t j = 0; j < DIM; j++) {
      const double direct = i == j ? weights[i] / sqrt(square) : 0.0;
      gx[i] += gy[j] * (direct - weights[j] * x[j] * weights[DIM + i] * x[i] / pow(square, 1.5));
    }
}

/* Last: it needs the above. */
#include "tests/unit/support_norms.h"

/* Of a row of zeros the epsilon is left: zeros, with slopes of the gains over its root. */
static void check_zeros(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, 1, 0.0);
  struct reals y = reals_random(kernels, &(struct rng){7}, DIM);
  struct reals gx = reals_random(kernels, &(struct rng){8}, DIM);
  forward(kernels, 1, trial.weights.data, trial.x.data, y.data);
  adjoint(kernels, 1, trial.weights.data, trial.x.data, trial.grad_out.data, gx.data, false);
  reals_read(&y);
  reals_read(&gx);
  for (size_t i = 0; i < DIM; i++) {
    const double slope = 1e6 * trial.weights.exact[i] * trial.grad_out.exact[i];
    assert_true(y.exact[i] == 0.0);
    assert_all_close(&gx.exact[i], &slope, 1, 0.0, 4 * epsilon_of(kernels));
  }
  reals_free(&y);
  reals_free(&gx);
  trial_fini(&trial);
}

static void test_rows_of_zeros(void **state) {
  (void)state;
  for_each_table(check_zeros);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_loops),
      cmocka_unit_test(test_rows_of_zeros),
      cmocka_unit_test(test_rows_are_independent),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
