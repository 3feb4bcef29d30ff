#include "tests/unit/support_kernels.h"

#define CHANNELS 48
#define OFFSET 32
#define IN_DIM (OFFSET + 5 * 64)
#define STRIDE 64
#define ROWS_MAX 33
#define EPSILON 1e-8

/* Components n_m of 48 channels, 64 apart, behind 32 numbers of something else. */
struct trial {
  struct vector_norm op;
  struct reals x, grad_out, before;
  size_t rows;
};

static void trial_init(struct trial *trial, const struct kernels *kernels, size_t rows, size_t n_m,
                       double size) {
  struct rng rng = {rows};
  double *x = doubles_new(rows * IN_DIM);
  for (size_t i = 0; i < rows * IN_DIM; i++)
    x[i] = size * rng_next(&rng);
  *trial = (struct trial){.op = {IN_DIM, CHANNELS, CHANNELS, n_m, OFFSET, STRIDE, EPSILON},
                          .x = reals_of(kernels, rows * IN_DIM, x),
                          .grad_out = reals_random(kernels, &rng, rows * CHANNELS),
                          .before = reals_random(kernels, &rng, rows * IN_DIM),
                          .rows = rows};
  free(x);
}

static void trial_fini(struct trial *trial) {
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
  reals_free(&trial->before);
}

static double length_of(const struct trial *trial, size_t row, size_t c) {
  double sum = EPSILON;
  for (size_t m = 0; m < trial->op.n_m; m++)
    sum += pow(trial->x.exact[row * IN_DIM + OFFSET + m * STRIDE + c], 2);
  return sqrt(sum);
}

/* The gradient by x, zero beside the channels. */
static void slopes_of(const struct trial *trial, double *slopes) {
  for (size_t r = 0; r < trial->rows; r++)
    for (size_t m = 0; m < trial->op.n_m; m++)
      for (size_t c = 0; c < CHANNELS; c++) {
        const size_t at = r * IN_DIM + OFFSET + m * STRIDE + c;
        slopes[at] =
            trial->grad_out.exact[r * CHANNELS + c] * trial->x.exact[at] / length_of(trial, r, c);
      }
}

static void check_loops(const struct kernels *kernels, size_t rows, size_t n_m, double size) {
  struct trial trial;
  trial_init(&trial, kernels, rows, n_m, size);
  const size_t n = rows * IN_DIM, n_out = rows * CHANNELS;
  struct reals y = reals_random(kernels, &(struct rng){7}, n_out);
  struct reals gx = reals_random(kernels, &(struct rng){8}, n);
  struct reals added = reals_of(kernels, n, trial.before.exact);
  double *expected = doubles_new(n_out), *slopes = doubles_new(n);
  memset(slopes, 0, n * sizeof *slopes);
  for (size_t i = 0; i < n_out; i++)
    expected[i] = length_of(&trial, i / CHANNELS, i % CHANNELS);
  slopes_of(&trial, slopes);
  kernels->vector_norm(&trial.op, rows, trial.x.data, y.data);
  kernels->vector_norm_adjoint(&trial.op, rows, trial.x.data, trial.grad_out.data, gx.data, false);
  kernels->vector_norm_adjoint(&trial.op, rows, trial.x.data, trial.grad_out.data, added.data,
                               true);
  reals_read(&y);
  reals_read(&gx);
  reals_read(&added);
  const double bound = 8 * epsilon_of(kernels);
  assert_all_close(y.exact, expected, n_out, 0.0, bound);
  assert_all_close(gx.exact, slopes, n, 0.0, bound);
  for (size_t i = 0; i < n; i++)
    slopes[i] += trial.before.exact[i];
  assert_all_close(added.exact, slopes, n, bound, bound);
  free(expected);
  free(slopes);
  reals_free(&y);
  reals_free(&gx);
  reals_free(&added);
  trial_fini(&trial);
}

static void check_cases(const struct kernels *kernels) {
  static const size_t rows[] = {1, 2, 32, ROWS_MAX};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
    for (size_t n_m = 1; n_m <= 5; n_m += 2) {
      check_loops(kernels, rows[r], n_m, 1.0);
      check_loops(kernels, rows[r], n_m, 1e-5); /* epsilon counts */
    }
}

static void test_both_directions_equal_loops(void **state) {
  (void)state;
  for_each_table(check_cases);
}

/* Vectors of zeros have the length sqrt(epsilon), and no slope. */
static void check_zeros(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, 1, 3, 0.0);
  struct reals y = reals_random(kernels, &(struct rng){7}, CHANNELS);
  struct reals gx = reals_random(kernels, &(struct rng){8}, IN_DIM);
  kernels->vector_norm(&trial.op, 1, trial.x.data, y.data);
  kernels->vector_norm_adjoint(&trial.op, 1, trial.x.data, trial.grad_out.data, gx.data, false);
  reals_read(&y);
  reals_read(&gx);
  for (size_t i = 0; i < CHANNELS; i++)
    assert_true(fabs(y.exact[i] - 1e-4) < 1e-4 * epsilon_of(kernels));
  for (size_t i = 0; i < IN_DIM; i++)
    assert_true(gx.exact[i] == 0.0);
  reals_free(&y);
  reals_free(&gx);
  trial_fini(&trial);
}

static void test_vectors_of_zeros(void **state) {
  (void)state;
  for_each_table(check_zeros);
}

static void check_rows(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, ROWS_MAX, 3, 1.0);
  struct reals y = reals_zero(kernels, ROWS_MAX * CHANNELS), alone = reals_zero(kernels, CHANNELS);
  struct reals gx = reals_zero(kernels, ROWS_MAX * IN_DIM);
  struct reals grad_alone = reals_zero(kernels, IN_DIM);
  kernels->vector_norm(&trial.op, ROWS_MAX, trial.x.data, y.data);
  kernels->vector_norm_adjoint(&trial.op, ROWS_MAX, trial.x.data, trial.grad_out.data, gx.data,
                               false);
  for (size_t r = 0; r < ROWS_MAX; r++) {
    const void *x = real_at(&trial.x, r * IN_DIM), *gy = real_at(&trial.grad_out, r * CHANNELS);
    kernels->vector_norm(&trial.op, 1, x, alone.data);
    kernels->vector_norm_adjoint(&trial.op, 1, x, gy, grad_alone.data, false);
    assert_same_bits(&y, r * CHANNELS, &alone, 0, CHANNELS);
    assert_same_bits(&gx, r * IN_DIM, &grad_alone, 0, IN_DIM);
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

/* <grad_out, lengths(x)> in float64. */
static double objective(const double *x, void *context) {
  const struct trial *trial = context;
  struct reals out = reals_zero(trial->x.kernels, trial->grad_out.n);
  out.kernels->vector_norm(&trial->op, trial->rows, x, out.data);
  reals_read(&out);
  const double value = dot(out.n, out.exact, trial->grad_out.exact);
  reals_free(&out);
  return value;
}

static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  struct trial trial;
  trial_init(&trial, kernels, 2, 3, 1.0);
  struct reals grad = reals_zero(kernels, trial.x.n);
  kernels->vector_norm_adjoint(&trial.op, 2, trial.x.data, trial.grad_out.data, grad.data, false);
  reals_read(&grad);
  assert_gradient(objective, &trial, trial.x.n, trial.x.exact, grad.exact, 1e-4, 1e-9);
  reals_free(&grad);
  trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_loops),
      cmocka_unit_test(test_vectors_of_zeros),
      cmocka_unit_test(test_rows_are_independent),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
