#include "tests/unit/support_channels.h"

#define N_WEIGHTS 3 /* gains, offsets and shares */
#define EPSILON 1e-5

static const struct layer_norm op = {DIM, 0, DIM, 2 * DIM, EPSILON};

static void weights_fill(struct rng *rng, double *weights) {
  for (size_t i = 0; i < DIM; i++) {
    weights[i] = is_padding(i) ? 0.0 : 1.0 + 0.3 * rng_next(rng);
    weights[DIM + i] = is_padding(i) ? 0.0 : rng_next(rng);
    weights[2 * DIM + i] = is_padding(i) ? 0.0 : 1.0 / N_CHANNELS;
  }
}

static void forward(const struct kernels *kernels, size_t rows, const void *weights, const void *x,
                    void *y) {
  kernels->layer_norm(&op, rows, weights, x, y);
}

static void adjoint(const struct kernels *kernels, size_t rows, const void *weights, const void *x,
                    const void *gy, void *gx, bool adds) {
  kernels->layer_norm_adjoint(&op, rows, weights, x, gy, gx, adds);
}

/* The mean and the deviation of the channels that are no padding. */
static void moments(const double *x, double *mean, double *deviation) {
  double variance = EPSILON;
  *mean = 0.0;
  for (size_t i = 0; i < DIM; i++)
    *mean += is_padding(i) ? 0.0 : x[i] / N_CHANNELS;
  for (size_t i = 0; i < DIM; i++)
    variance += is_padding(i) ? 0.0 : (x[i] - *mean) * (x[i] - *mean) / N_CHANNELS;
  *deviation = sqrt(variance);
}

static void forward_row(const double *weights, const double *x, double *y) {
  double mean, deviation;
  moments(x, &mean, &deviation);
  for (size_t i = 0; i < DIM; i++)
    y[i] = weights[i] * (x[i] - mean) / deviation + weights[DIM + i];
}

/* The derivative of each y[j] by each x[i], by the quotient rule. */
static void adjoint_row(const double *weights, const double *x, const double *gy, double *gx) {
  double mean, deviation;
  moments(x, &mean, &deviation);
  for (size_t i = 0; i < DIM; i++)
    for (size_t j = 0; j < DIM; j++) {
      if (is_padding(i) || is_padding(j))
        continue;
      const double of_numerator = (i == j ? 1.0 : 0.0) - 1.0 / N_CHANNELS;
      const double of_deviation = (x[i] - mean) / (N_CHANNELS * deviation);
      gx[i] += gy[j] * weights[j] * (of_numerator - (x[j] - mean) * of_deviation / deviation) /
               deviation;
    }
}

/* Last: it needs the above. */
#include "tests/unit/support_norms.h"

/* Of a row of one number, whichever, the offsets are left. */
static void check_constant(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, 1, 0.0);
  double *x = doubles_new(DIM);
  for (size_t i = 0; i < DIM; i++)
    x[i] = is_padding(i) ? 0.0 : 0.75;
  struct reals constant = reals_of(kernels, DIM, x), y = reals_zero(kernels, DIM);
  forward(kernels, 1, trial.weights.data, constant.data, y.data);
  reals_read(&y);
  /* The mean is off by rounding, which the epsilon keeps from growing beyond 1 / sqrt(1e-5). */
  assert_all_close(y.exact, trial.weights.exact + DIM, DIM, 1e3 * epsilon_of(kernels), 0.0);
  free(x);
  reals_free(&constant);
  reals_free(&y);
  trial_fini(&trial);
}

static void test_constant_rows(void **state) {
  (void)state;
  for_each_table(check_constant);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_loops),
      cmocka_unit_test(test_constant_rows),
      cmocka_unit_test(test_rows_are_independent),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
