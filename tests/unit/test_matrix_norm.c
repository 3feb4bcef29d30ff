#include "tests/unit/support_kernels.h"

#define COMPONENTS 9
#define CHANNELS 48
#define DIM (COMPONENTS * CHANNELS)
#define ROWS_MAX 33

static const struct matrix_norm op = {COMPONENTS, CHANNELS};

struct trial {
  struct reals x, grad_out, before;
  size_t rows;
};

/* Features of up to `size`. */
static void trial_init(struct trial *trial, const struct kernels *kernels, size_t rows,
                       double size) {
  struct rng rng = {rows};
  double *x = doubles_new(rows * DIM);
  for (size_t i = 0; i < rows * DIM; i++)
    x[i] = size * rng_next(&rng);
  *trial = (struct trial){.x = reals_of(kernels, rows * DIM, x),
                          .grad_out = reals_random(kernels, &rng, rows * DIM),
                          .before = reals_random(kernels, &rng, rows * DIM),
                          .rows = rows};
  free(x);
}

static void trial_fini(struct trial *trial) {
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
  reals_free(&trial->before);
}

/* One channel, of which components lie CHANNELS apart; gx is added to. */
static void channel(const double *x, const double *gy, double *y, double *gx) {
  double square = 1.0;
  for (size_t m = 0; m < COMPONENTS; m++)
    square += x[m * CHANNELS] * x[m * CHANNELS];
  for (size_t m = 0; m < COMPONENTS; m++) {
    y[m * CHANNELS] = x[m * CHANNELS] / square;
    for (size_t k = 0; k < COMPONENTS; k++)
      gx[m * CHANNELS] +=
          gy[k * CHANNELS] *
          ((k == m ? 1.0 : 0.0) - 2.0 * x[k * CHANNELS] * x[m * CHANNELS] / square) / square;
  }
}

#define EPSILONS 64

static void check_loops(const struct kernels *kernels, size_t rows, double size) {
  struct trial trial;
  trial_init(&trial, kernels, rows, size);
  const size_t n = rows * DIM;
  struct reals y = reals_zero(kernels, n), gx = reals_random(kernels, &(struct rng){8}, n);
  struct reals added = reals_of(kernels, n, trial.before.exact);
  double *expected = doubles_new(n), *slope = doubles_new(n);
  for (size_t r = 0; r < n; r += DIM)
    for (size_t c = 0; c < CHANNELS; c++)
      channel(trial.x.exact + r + c, trial.grad_out.exact + r + c, expected + r + c, slope + r + c);
  kernels->matrix_norm(&op, rows, trial.x.data, y.data);
  kernels->matrix_norm_adjoint(&op, rows, trial.x.data, trial.grad_out.data, gx.data, false);
  kernels->matrix_norm_adjoint(&op, rows, trial.x.data, trial.grad_out.data, added.data, true);
  reals_read(&y);
  reals_read(&gx);
  reals_read(&added);
  const double bound = EPSILONS * epsilon_of(kernels);
  assert_all_close(y.exact, expected, n, bound, 0.0);
  assert_all_close(gx.exact, slope, n, bound, 0.0);
  for (size_t i = 0; i < n; i++)
    slope[i] += trial.before.exact[i];
  assert_all_close(added.exact, slope, n, bound, 0.0);
  free(expected);
  free(slope);
  reals_free(&y);
  reals_free(&gx);
  reals_free(&added);
  trial_fini(&trial);
}

static void check_cases(const struct kernels *kernels) {
  static const size_t rows[] = {1, 2, ROWS_MAX};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    check_loops(kernels, rows[r], 1.0);
    check_loops(kernels, rows[r], 30.0);
    check_loops(kernels, rows[r], 0.0);
  }
}

static void test_both_directions_equal_loops(void **state) {
  (void)state;
  for_each_table(check_cases);
}

static void check_rows(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, ROWS_MAX, 1.0);
  struct reals y = reals_zero(kernels, ROWS_MAX * DIM), alone = reals_zero(kernels, DIM);
  struct reals gx = reals_zero(kernels, ROWS_MAX * DIM), grad_alone = reals_zero(kernels, DIM);
  kernels->matrix_norm(&op, ROWS_MAX, trial.x.data, y.data);
  kernels->matrix_norm_adjoint(&op, ROWS_MAX, trial.x.data, trial.grad_out.data, gx.data, false);
  for (size_t r = 0; r < ROWS_MAX; r++) {
    const void *x = real_at(&trial.x, r * DIM), *gy = real_at(&trial.grad_out, r * DIM);
    kernels->matrix_norm(&op, 1, x, alone.data);
    kernels->matrix_norm_adjoint(&op, 1, x, gy, grad_alone.data, false);
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

/* <grad_out, matrix_norm(x)> in float64. */
static double objective(const double *x, void *context) {
  const struct trial *trial = context;
  struct reals out = reals_zero(trial->x.kernels, trial->grad_out.n);
  out.kernels->matrix_norm(&op, trial->rows, x, out.data);
  reals_read(&out);
  const double value = dot(out.n, out.exact, trial->grad_out.exact);
  reals_free(&out);
  return value;
}

static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  struct trial trial;
  trial_init(&trial, kernels, 1, 1.0);
  struct reals grad = reals_zero(kernels, trial.x.n);
  kernels->matrix_norm_adjoint(&op, 1, trial.x.data, trial.grad_out.data, grad.data, false);
  reals_read(&grad);
  assert_gradient(objective, &trial, trial.x.n, trial.x.exact, grad.exact, 1e-3, 1e-10);
  reals_free(&grad);
  trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_loops),
      cmocka_unit_test(test_rows_are_independent),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
