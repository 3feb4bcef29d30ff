#include "core/e3/spherical_harmonics.h"
#include "tests/unit/support_kernels.h"

#define EDGES 11
#define ROWS 3 /* of sums */
#define CHANNELS 32
#define OFFSET 16

struct trial {
  struct weighted_harmonics op;
  size_t n_harmonics, out_dim;
  bool summed;
  uint32_t rows[EDGES];
  double factors[EDGES];
  struct reals harmonics, x, grad_out, before, out;
};

static void trial_init(struct trial *trial, const struct kernels *kernels, int l_max, bool summed) {
  struct rng rng = {(uint64_t)l_max + 5};
  const size_t dim = OFFSET + (size_t)(l_max + 1) * CHANNELS + 16;
  *trial = (struct trial){.op = {l_max, dim, OFFSET, CHANNELS}, .summed = summed};
  trial->n_harmonics = HARMONICS(l_max);
  trial->out_dim = trial->n_harmonics * CHANNELS;
  const size_t n_rows = summed ? ROWS : EDGES;
  for (size_t e = 0; e < EDGES; e++) {
    trial->rows[e] = (uint32_t)(e * ROWS / EDGES);
    trial->factors[e] = 0.5 + 0.25 * (double)(e % 3); /* exact in both precisions */
  }
  trial->harmonics = reals_random(kernels, &rng, EDGES * trial->n_harmonics);
  trial->x = reals_random(kernels, &rng, EDGES * dim);
  trial->grad_out = reals_random(kernels, &rng, n_rows * trial->out_dim);
  trial->before = reals_random(kernels, &rng, EDGES * dim);
  trial->out = reals_random(kernels, &rng, n_rows * trial->out_dim);
}

static void trial_fini(struct trial *trial) {
  reals_free(&trial->harmonics);
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
  reals_free(&trial->before);
  reals_free(&trial->out);
}

static int degree_of(size_t h) {
  int l = 0;
  while (HARMONICS(l) <= h)
    l++;
  return l;
}

/* The sum of grad_out times the output; what is not NULL is added to. */
static double plain(const struct trial *trial, const double *y, const double *x, double *out,
                    double *grad_y, double *grad_x) {
  double f = 0.0;
  for (size_t e = 0; e < EDGES; e++)
    for (size_t h = 0; h < trial->n_harmonics; h++)
      for (size_t c = 0; c < CHANNELS; c++) {
        const double factor = trial->summed ? trial->factors[e] : 1.0;
        const size_t row = trial->summed ? trial->rows[e] : e;
        const size_t o = row * trial->out_dim + h * CHANNELS + c;
        const size_t i = e * trial->op.in_dim + OFFSET + (size_t)degree_of(h) * CHANNELS + c;
        const size_t k = e * trial->n_harmonics + h;
        const double g = trial->grad_out.exact[o];
        f += g * factor * y[k] * x[i];
        if (out)
          out[o] += factor * y[k] * x[i];
        if (grad_y)
          grad_y[k] += g * factor * x[i];
        if (grad_x)
          grad_x[i] += g * factor * y[k];
      }
  return f;
}

static void forward(struct trial *trial) {
  trial->out.kernels->weighted_harmonics(&trial->op, EDGES, trial->summed ? trial->rows : NULL,
                                         trial->summed ? trial->factors : NULL,
                                         trial->harmonics.data, trial->x.data, trial->out.data);
  reals_read(&trial->out);
}

static void check_forward(const struct kernels *kernels, int l_max, bool summed) {
  struct trial trial;
  trial_init(&trial, kernels, l_max, summed);
  double *expected = doubles_new(trial.out.n);
  if (summed) /* it is added to */
    memcpy(expected, trial.out.exact, trial.out.n * sizeof(double));
  plain(&trial, trial.harmonics.exact, trial.x.exact, expected, NULL, NULL);
  forward(&trial);
  assert_all_close(trial.out.exact, expected, trial.out.n, 8 * epsilon_of(kernels), 0.0);
  free(expected);
  trial_fini(&trial);
}

static void check_adjoint(const struct kernels *kernels, int l_max, bool summed, bool accumulate) {
  struct trial trial;
  trial_init(&trial, kernels, l_max, summed);
  struct reals grad = reals_of(kernels, trial.before.n, trial.before.exact);
  double *expected = doubles_new(grad.n), *grad_y = doubles_new(trial.harmonics.n);
  double *expected_y = doubles_new(trial.harmonics.n);
  if (accumulate)
    memcpy(expected, grad.exact, grad.n * sizeof(double));
  for (size_t i = 0; i < trial.harmonics.n; i++)
    grad_y[i] = expected_y[i] = 0.1 * (double)i;
  plain(&trial, trial.harmonics.exact, trial.x.exact, NULL, expected_y, expected);
  kernels->weighted_harmonics_adjoint(
      &trial.op, EDGES, summed ? trial.rows : NULL, summed ? trial.factors : NULL,
      trial.harmonics.data, trial.x.data, trial.grad_out.data, grad.data, accumulate, grad_y);
  reals_read(&grad);
  assert_all_close(grad.exact, expected, grad.n, 16 * epsilon_of(kernels), 0.0);
  assert_all_close(grad_y, expected_y, trial.harmonics.n, 2 * CHANNELS * epsilon_of(kernels),
                   1e-14);
  free(expected);
  free(expected_y);
  free(grad_y);
  reals_free(&grad);
  trial_fini(&trial);
}

static void check_cases(const struct kernels *kernels) {
  for (int l_max = 0; l_max <= IRREP_L_MAX; l_max += 2)
    for (int summed = 0; summed < 2; summed++) {
      check_forward(kernels, l_max, summed);
      check_adjoint(kernels, l_max, summed, false);
      check_adjoint(kernels, l_max, summed, true);
    }
}

static void test_both_directions_equal_loops(void **state) {
  (void)state;
  for_each_table(check_cases);
}

static double of_harmonics(const double *y, void *context) {
  const struct trial *trial = context;
  return plain(trial, y, trial->x.exact, NULL, NULL, NULL);
}

static double of_scalars(const double *x, void *context) {
  const struct trial *trial = context;
  return plain(trial, trial->harmonics.exact, x, NULL, NULL, NULL);
}

/* The loops that the kernels are compared with are themselves a function and its gradient. */
static void test_loops_are_a_gradient(void **state) {
  (void)state;
  for (int summed = 0; summed < 2; summed++) {
    struct trial trial;
    trial_init(&trial, kernels_for(IRREP_FLOAT64, NULL), 2, summed);
    double *grad_y = doubles_new(trial.harmonics.n), *grad_x = doubles_new(trial.x.n);
    plain(&trial, trial.harmonics.exact, trial.x.exact, NULL, grad_y, grad_x);
    assert_gradient(of_harmonics, &trial, trial.harmonics.n, trial.harmonics.exact, grad_y, 1e-2,
                    1e-11);
    assert_gradient(of_scalars, &trial, trial.x.n, trial.x.exact, grad_x, 1e-2, 1e-11);
    free(grad_y);
    free(grad_x);
    trial_fini(&trial);
  }
}

/* An edge alone has the same bits, and edges that come in two calls the same sums. */
static void check_edges(const struct kernels *kernels) {
  struct trial all, parts;
  const size_t cut = 7;
  for (int summed = 0; summed < 2; summed++) {
    trial_init(&all, kernels, 3, summed);
    trial_init(&parts, kernels, 3, summed);
    forward(&all);
    for (size_t first = 0; first < EDGES; first += cut) {
      const size_t n = EDGES - first < cut ? EDGES - first : cut;
      kernels->weighted_harmonics(&parts.op, n, summed ? parts.rows + first : NULL,
                                  summed ? parts.factors + first : NULL,
                                  real_at(&parts.harmonics, first * parts.n_harmonics),
                                  real_at(&parts.x, first * parts.op.in_dim),
                                  real_at(&parts.out, summed ? 0 : first * parts.out_dim));
    }
    assert_same_bits(&all.out, 0, &parts.out, 0, all.out.n);
    trial_fini(&all);
    trial_fini(&parts);
  }
}

static void test_edges_do_not_depend_on_each_other(void **state) {
  (void)state;
  for_each_table(check_edges);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_loops),
      cmocka_unit_test(test_loops_are_a_gradient),
      cmocka_unit_test(test_edges_do_not_depend_on_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
