#include "tests/unit/support_kernels.h"

#define DIM 96
#define ROWS_MAX 33
#define EPSILON 1e-5
#define N_CHANNELS 57

/* Gains, offsets and shares of 37 channels and of 20 behind them; the rest of either group is
 * padding. */
struct trial {
  struct layer_norm op;
  struct reals weights, x, grad_out, before;
  size_t rows;
};

static bool is_padding(size_t i) {
  return (i >= 37 && i < 48) || i >= 68;
}

/* Features of up to `size`, gradients of up to 1. */
static void trial_init(struct trial *trial, const struct kernels *kernels, size_t rows,
                       double size) {
  struct rng rng = {rows};
  double *weights = doubles_new(3 * DIM), *x = doubles_new(3 * rows * DIM);
  *trial = (struct trial){.op = {DIM, 0, DIM, 2 * DIM, EPSILON}, .rows = rows};
  for (size_t i = 0; i < DIM; i++) {
    weights[i] = is_padding(i) ? 0.0 : 1.0 + 0.3 * rng_next(&rng);
    weights[DIM + i] = is_padding(i) ? 0.0 : rng_next(&rng);
    weights[2 * DIM + i] = is_padding(i) ? 0.0 : 1.0 / N_CHANNELS;
  }
  for (size_t i = 0; i < 3 * rows * DIM; i++)
    x[i] = is_padding(i % DIM) ? 0.0 : rng_next(&rng) * (i < rows * DIM ? size : 1.0);
  trial->weights = reals_of(kernels, 3 * DIM, weights);
  trial->x = reals_of(kernels, rows * DIM, x);
  trial->grad_out = reals_of(kernels, rows * DIM, x + rows * DIM);
  trial->before = reals_of(kernels, rows * DIM, x + 2 * rows * DIM);
  free(weights);
  free(x);
}

static void trial_fini(struct trial *trial) {
  reals_free(&trial->weights);
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
  reals_free(&trial->before);
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

/* Sums of 57 numbers: y is good to some epsilons, the adjoint to some over the deviation. */
#define EPSILONS 64

static void check_loops(const struct kernels *kernels, size_t rows, double size) {
  struct trial trial;
  trial_init(&trial, kernels, rows, size);
  const size_t n = rows * DIM;
  const void *weights = trial.weights.data, *x = trial.x.data, *gy = trial.grad_out.data;
  struct reals y = reals_random(kernels, &(struct rng){7}, n);
  struct reals gx = reals_random(kernels, &(struct rng){8}, n);
  struct reals added = reals_of(kernels, n, trial.before.exact);
  double *expected = doubles_new(n), *slope = doubles_new(n);
  for (size_t r = 0; r < n; r += DIM) {
    forward_row(trial.weights.exact, trial.x.exact + r, expected + r);
    adjoint_row(trial.weights.exact, trial.x.exact + r, trial.grad_out.exact + r, slope + r);
  }
  kernels->layer_norm(&trial.op, rows, weights, x, y.data);
  kernels->layer_norm_adjoint(&trial.op, rows, weights, x, gy, gx.data, false);
  kernels->layer_norm_adjoint(&trial.op, rows, weights, x, gy, added.data, true);
  reals_read(&y);
  reals_read(&gx);
  reals_read(&added);
  const double bound = EPSILONS * epsilon_of(kernels), steep = bound / size;
  assert_all_close(y.exact, expected, n, bound, bound);
  assert_all_close(gx.exact, slope, n, steep, bound);
  for (size_t i = 0; i < n; i++) {
    slope[i] += trial.before.exact[i];
    if (is_padding(i % DIM))
      assert_true(y.exact[i] == 0.0 && gx.exact[i] == 0.0 && added.exact[i] == 0.0);
  }
  assert_all_close(added.exact, slope, n, steep, bound);
  free(expected);
  free(slope);
  reals_free(&y);
  reals_free(&gx);
  reals_free(&added);
  trial_fini(&trial);
}

static void check_cases(const struct kernels *kernels) {
  static const size_t rows[] = {1, 2, 32, ROWS_MAX};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    check_loops(kernels, rows[r], 1.0);
    check_loops(kernels, rows[r], 1e-3);
  }
}

static void test_both_directions_equal_loops(void **state) {
  (void)state;
  for_each_table(check_cases);
}

/* Of a row of one number, whichever, the offsets are left. */
static void check_constant(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, 1, 0.0);
  double *x = doubles_new(DIM);
  for (size_t i = 0; i < DIM; i++)
    x[i] = is_padding(i) ? 0.0 : 0.75;
  struct reals constant = reals_of(kernels, DIM, x), y = reals_zero(kernels, DIM);
  kernels->layer_norm(&trial.op, 1, trial.weights.data, constant.data, y.data);
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

static void check_rows(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, ROWS_MAX, 1.0);
  const void *weights = trial.weights.data;
  struct reals y = reals_zero(kernels, ROWS_MAX * DIM), alone = reals_zero(kernels, DIM);
  struct reals gx = reals_zero(kernels, ROWS_MAX * DIM), grad_alone = reals_zero(kernels, DIM);
  kernels->layer_norm(&trial.op, ROWS_MAX, weights, trial.x.data, y.data);
  kernels->layer_norm_adjoint(&trial.op, ROWS_MAX, weights, trial.x.data, trial.grad_out.data,
                              gx.data, false);
  for (size_t r = 0; r < ROWS_MAX; r++) {
    const void *x = real_at(&trial.x, r * DIM), *gy = real_at(&trial.grad_out, r * DIM);
    kernels->layer_norm(&trial.op, 1, weights, x, alone.data);
    kernels->layer_norm_adjoint(&trial.op, 1, weights, x, gy, grad_alone.data, false);
    assert_same_bits(&y, r * DIM, &alone, 0, DIM);
    assert_same_bits(&gx, r * DIM, &grad_alone, 0, DIM);
  }
  reals_free(&y);
  reals_free(&alone);
  reals_free(&gx);
  reals_free(&grad_alone);
  trial_fini(&trial);
}

static void test_rows_are_independent(void **state) {
  (void)state;
  for_each_table(check_rows);
}

/* <grad_out, layer_norm(x)> in float64. */
static double objective(const double *x, void *context) {
  const struct trial *trial = context;
  struct reals out = reals_zero(trial->x.kernels, trial->grad_out.n);
  out.kernels->layer_norm(&trial->op, trial->rows, trial->weights.data, x, out.data);
  reals_read(&out);
  const double value = dot(out.n, out.exact, trial->grad_out.exact);
  reals_free(&out);
  return value;
}

static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  struct trial trial;
  trial_init(&trial, kernels, 2, 1.0);
  struct reals grad = reals_zero(kernels, trial.x.n);
  kernels->layer_norm_adjoint(&trial.op, 2, trial.weights.data, trial.x.data, trial.grad_out.data,
                              grad.data, false);
  reals_read(&grad);
  assert_gradient(objective, &trial, trial.x.n, trial.x.exact, grad.exact, 1e-3, 1e-11);
  reals_free(&grad);
  trial_fini(&trial);
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
