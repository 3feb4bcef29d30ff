#include "tests/unit/support_tensor_square.h"

#define CHANNELS 32

struct trial {
  struct test_tensor_square product;
  struct reals weights, x, grad_out, before;
  size_t rows;
};

/* Whether it adds a, and whether b is a. */
struct kind {
  bool adds_first, alone;
};

static void trial_init(struct trial *trial, const struct kernels *kernels, size_t n_outputs,
                       size_t rows, struct kind kind) {
  struct rng rng = {rows};
  tensor_square_init(&trial->product, n_outputs, CHANNELS);
  trial->product.op.adds_first = kind.adds_first;
  if (kind.alone) {
    trial->product.op.twin = 0;
    trial->product.op.in_dim /= 2;
  }
  const struct tensor_square *op = &trial->product.op;
  trial->weights = reals_of(kernels, trial->product.n_terms, trial->product.values);
  trial->x = reals_random(kernels, &rng, rows * op->in_dim);
  trial->grad_out = reals_random(kernels, &rng, rows * op->out_dim);
  trial->before = reals_random(kernels, &rng, rows * op->in_dim);
  trial->rows = rows;
}

static void trial_fini(struct trial *trial) {
  reals_free(&trial->weights);
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
  reals_free(&trial->before);
}

/* f = sum of grad_out y, one row; gradients by a and b are added to gx [in_dim] if there. */
static double row_product(const struct trial *trial, const double *x, const double *g, double *y,
                          double *gx) {
  const struct tensor_square *op = &trial->product.op;
  double f = 0.0;
  for (size_t k = 0; k < op->n_outputs * CHANNELS; k++) {
    if (y)
      y[k] = op->adds_first ? x[k] : 0.0;
    if (!op->adds_first)
      continue;
    if (gx)
      gx[k] += g[k];
    f += g[k] * x[k];
  }
  for (size_t p = 0; p < op->couplings.n_rows; p++)
    for (size_t t = op->couplings.first[p]; t < op->couplings.first[p + 1]; t++)
      for (size_t c = 0; c < CHANNELS; c++) {
        const double value = trial->weights.exact[t];
        const size_t a = op->pairs[p].a * CHANNELS + c;
        const size_t b = op->twin + op->pairs[p].b * CHANNELS + c;
        const size_t k = op->couplings.column[t] * CHANNELS + c;
        if (y)
          y[k] += value * x[a] * x[b];
        if (gx) {
          gx[a] += value * g[k] * x[b];
          gx[b] += value * g[k] * x[a];
        }
        f += g[k] * value * x[a] * x[b];
      }
  return f;
}

/* A component sums up at most 82 products of numbers of size 1. */
#define EPSILONS 80

static void check_forward(const struct kernels *kernels, size_t n_outputs, size_t rows,
                          struct kind kind) {
  struct trial trial;
  trial_init(&trial, kernels, n_outputs, rows, kind);
  const struct tensor_square *op = &trial.product.op;
  struct reals out = reals_random(kernels, &(struct rng){7}, rows * op->out_dim);
  double *expected = doubles_new(out.n);
  for (size_t r = 0; r < rows; r++)
    row_product(&trial, trial.x.exact + r * op->in_dim, trial.grad_out.exact,
                expected + r * op->out_dim, NULL);
  kernels->tensor_square(op, rows, trial.weights.data, trial.x.data, out.data);
  reals_read(&out);
  assert_all_close(out.exact, expected, out.n, EPSILONS * epsilon_of(kernels), 0.0);
  free(expected);
  reals_free(&out);
  trial_fini(&trial);
}

static void check_adjoint(const struct kernels *kernels, size_t n_outputs, size_t rows,
                          struct kind kind, bool accumulate) {
  struct trial trial;
  trial_init(&trial, kernels, n_outputs, rows, kind);
  const struct tensor_square *op = &trial.product.op;
  struct reals grad = reals_of(kernels, trial.before.n, trial.before.exact);
  double *expected = doubles_new(grad.n);
  if (accumulate)
    memcpy(expected, grad.exact, grad.n * sizeof(double));
  for (size_t r = 0; r < rows; r++)
    row_product(&trial, trial.x.exact + r * op->in_dim, trial.grad_out.exact + r * op->out_dim,
                NULL, expected + r * op->in_dim);
  kernels->tensor_square_adjoint(op, rows, trial.weights.data, trial.x.data, trial.grad_out.data,
                                 grad.data, accumulate);
  reals_read(&grad);
  assert_all_close(grad.exact, expected, grad.n, EPSILONS * epsilon_of(kernels), 0.0);
  free(expected);
  reals_free(&grad);
  trial_fini(&trial);
}

static const size_t outputs[] = {1, 4, SELF_COMPONENTS};

static const struct kind kinds[] = {{true, false}, {false, false}, {true, true}, {false, true}};

static void check_cases(const struct kernels *kernels) {
  for (size_t i = 0; i < 3; i++)
    for (size_t rows = 1; rows < 4; rows++)
      for (size_t k = 0; k < 4; k++) {
        check_forward(kernels, outputs[i], rows, kinds[k]);
        check_adjoint(kernels, outputs[i], rows, kinds[k], false);
        check_adjoint(kernels, outputs[i], rows, kinds[k], true);
      }
}

static void test_both_directions_equal_loops(void **state) {
  (void)state;
  for_each_table(check_cases);
}

static double value_at(const double *x, void *context) {
  const struct trial *trial = context;
  return row_product(trial, x, trial->grad_out.exact, NULL, NULL);
}

/* The loops that the kernels are compared with are themselves a function and its gradient. */
static void test_loops_are_a_gradient(void **state) {
  (void)state;
  for (size_t i = 0; i < 12; i++) {
    struct trial trial;
    trial_init(&trial, kernels_for(IRREP_FLOAT64, NULL), outputs[i % 3], 1, kinds[i / 3]);
    double *gradient = doubles_new(trial.x.n);
    row_product(&trial, trial.x.exact, trial.grad_out.exact, NULL, gradient);
    assert_gradient(value_at, &trial, trial.x.n, trial.x.exact, gradient, 1e-3, 1e-11);
    free(gradient);
    trial_fini(&trial);
  }
}

static void check_rows(const struct kernels *kernels) {
  struct trial trial;
  trial_init(&trial, kernels, 4, 5, kinds[0]);
  const struct tensor_square *op = &trial.product.op;
  struct reals y = reals_zero(kernels, 5 * op->out_dim), alone = reals_zero(kernels, op->out_dim);
  struct reals g = reals_zero(kernels, 5 * op->in_dim), g_alone = reals_zero(kernels, op->in_dim);
  kernels->tensor_square(op, 5, trial.weights.data, trial.x.data, y.data);
  kernels->tensor_square_adjoint(op, 5, trial.weights.data, trial.x.data, trial.grad_out.data,
                                 g.data, false);
  for (size_t r = 0; r < 5; r++) {
    const void *x = real_at(&trial.x, r * op->in_dim);
    kernels->tensor_square(op, 1, trial.weights.data, x, alone.data);
    kernels->tensor_square_adjoint(op, 1, trial.weights.data, x,
                                   real_at(&trial.grad_out, r * op->out_dim), g_alone.data, false);
    assert_same_bits(&y, r * op->out_dim, &alone, 0, op->out_dim);
    assert_same_bits(&g, r * op->in_dim, &g_alone, 0, op->in_dim);
  }
  struct reals *const owned[] = {&y, &alone, &g, &g_alone};
  for (size_t i = 0; i < 4; i++)
    reals_free(owned[i]);
  trial_fini(&trial);
}

static void test_rows_do_not_depend_on_each_other(void **state) {
  (void)state;
  for_each_table(check_rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_loops),
      cmocka_unit_test(test_loops_are_a_gradient),
      cmocka_unit_test(test_rows_do_not_depend_on_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
