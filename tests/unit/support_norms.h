/* Tests that every norm over the channels of a row passes: both directions against loops in
 * double, rows that do not know each other, and the adjoint against differences. The including file
 * defines, before:
 *
 *   N_WEIGHTS   numbers of weights a channel
 *   static void weights_fill(struct rng *rng, double *weights)           weights [N_WEIGHTS][DIM]
 *   static void forward(kernels, rows, weights, x, y)                    the kernels
 *   static void adjoint(kernels, rows, weights, x, gy, gx, adds)
 *   static void forward_row(weights, x, y)                               the loops, [DIM] each
 *   static void adjoint_row(weights, x, gy, gx)                          adds to gx
 *
 * which may use DIM, N_CHANNELS and is_padding of support_channels.h. */
#ifndef TESTS_UNIT_SUPPORT_NORMS_H
#define TESTS_UNIT_SUPPORT_NORMS_H

#include "tests/unit/support_channels.h"

#define ROWS_MAX 33

/* Rows whose padding is zero. */
struct trial {
  const struct kernels *kernels;
  struct reals weights, x, grad_out, before;
  size_t rows;
};

/* Features of up to `size`, gradients of up to 1. */
static inline void trial_init(struct trial *trial, const struct kernels *kernels, size_t rows,
                              double size) {
  struct rng rng = {rows};
  double *weights = doubles_new(N_WEIGHTS * DIM), *x = doubles_new(3 * rows * DIM);
  weights_fill(&rng, weights);
  for (size_t i = 0; i < 3 * rows * DIM; i++)
    x[i] = is_padding(i % DIM) ? 0.0 : rng_next(&rng) * (i < rows * DIM ? size : 1.0);
  *trial = (struct trial){.kernels = kernels,
                          .weights = reals_of(kernels, N_WEIGHTS * DIM, weights),
                          .x = reals_of(kernels, rows * DIM, x),
                          .grad_out = reals_of(kernels, rows * DIM, x + rows * DIM),
                          .before = reals_of(kernels, rows * DIM, x + 2 * rows * DIM),
                          .rows = rows};
  free(weights);
  free(x);
}

static inline void trial_fini(struct trial *trial) {
  reals_free(&trial->weights);
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
  reals_free(&trial->before);
}

/* Sums of 57 numbers: y is good to some epsilons, the adjoint to some of what it subtracts, which
 * is some times 1 / size. */
#define EPSILONS 64

static inline void check_loops(const struct kernels *kernels, size_t rows, double size) {
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
  forward(kernels, rows, weights, x, y.data);
  adjoint(kernels, rows, weights, x, gy, gx.data, false);
  adjoint(kernels, rows, weights, x, gy, added.data, true);
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

static inline void check_cases(const struct kernels *kernels) {
  static const size_t rows[] = {1, 2, 32, ROWS_MAX};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    check_loops(kernels, rows[r], 1.0);
    check_loops(kernels, rows[r], 1e-3);
  }
}

static inline void test_both_directions_equal_loops(void **state) {
  (void)state;
  for_each_table(check_cases);
}

static inline void check_rows(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, ROWS_MAX, 1.0);
  const void *weights = trial.weights.data;
  struct reals y = reals_zero(kernels, ROWS_MAX * DIM), alone = reals_zero(kernels, DIM);
  struct reals gx = reals_zero(kernels, ROWS_MAX * DIM), grad_alone = reals_zero(kernels, DIM);
  forward(kernels, ROWS_MAX, weights, trial.x.data, y.data);
  adjoint(kernels, ROWS_MAX, weights, trial.x.data, trial.grad_out.data, gx.data, false);
  for (size_t r = 0; r < ROWS_MAX; r++) {
    const void *x = real_at(&trial.x, r * DIM), *gy = real_at(&trial.grad_out, r * DIM);
    forward(kernels, 1, weights, x, alone.data);
    adjoint(kernels, 1, weights, x, gy, grad_alone.data, false);
    assert_same_bits(&y, r * DIM, &alone, 0, DIM);
    assert_same_bits(&gx, r * DIM, &grad_alone, 0, DIM);
  }
  reals_free(&y);
  reals_free(&alone);
  reals_free(&gx);
  reals_free(&grad_alone);
  trial_fini(&trial);
}

static inline void test_rows_are_independent(void **state) {
  (void)state;
  for_each_table(check_rows);
}

/* <grad_out, norm(x)> in float64. */
static inline double objective(const double *x, void *context) {
  const struct trial *trial = context;
  struct reals out = reals_zero(trial->kernels, trial->grad_out.n);
  forward(trial->kernels, trial->rows, trial->weights.data, x, out.data);
  reals_read(&out);
  const double value = dot(out.n, out.exact, trial->grad_out.exact);
  reals_free(&out);
  return value;
}

static inline void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  struct trial trial;
  trial_init(&trial, kernels, 2, 1.0);
  struct reals grad = reals_zero(kernels, trial.x.n);
  adjoint(kernels, 2, trial.weights.data, trial.x.data, trial.grad_out.data, grad.data, false);
  reals_read(&grad);
  assert_gradient(objective, &trial, trial.x.n, trial.x.exact, grad.exact, 1e-3, 1e-11);
  reals_free(&grad);
  trial_fini(&trial);
}

#endif
