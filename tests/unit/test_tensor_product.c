#include "tests/unit/support_tensor_product.h"

#define EDGES 23
#define ROWS 4
#define FIRST_ROW 5

/* Receivers with 13, 1, 0 and 9 edges. */
static const uint32_t receivers[EDGES] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5,
                                          5, 6, 8, 8, 8, 8, 8, 8, 8, 8, 8};
static const size_t channel_counts[] = {16, 48};

struct trial {
  struct test_tensor_product product;
  struct reals weights, x, sums, grad_out, out, grad_x, grad_sums, scratch;
};

static void trial_init(struct trial *trial, const struct kernels *kernels, size_t channels) {
  struct rng rng = {channels};
  tensor_product_init(&trial->product, channels);
  struct tensor_product *op = &trial->product.op;
  op->weights = 32; /* nothing begins at 0 */
  trial->weights = reals_random(kernels, &rng, 32 + trial->product.n_terms * channels);
  trial->x = reals_random(kernels, &rng, EDGES * op->in_dim);
  trial->sums = reals_random(kernels, &rng, ROWS * op->sums_dim);
  trial->grad_out = reals_random(kernels, &rng, EDGES * op->out_dim);
  trial->out = reals_random(kernels, &rng, EDGES * op->out_dim);
  trial->grad_x = reals_random(kernels, &rng, EDGES * op->in_dim);
  trial->grad_sums = reals_random(kernels, &rng, ROWS * op->sums_dim);
  trial->scratch = reals_random(kernels, &rng, 2 * IRREP_LANES * op->n_pairs);
}

static void trial_fini(struct trial *trial) {
  struct reals *const owned[] = {&trial->weights,   &trial->x,      &trial->sums,
                                 &trial->grad_out,  &trial->out,    &trial->grad_x,
                                 &trial->grad_sums, &trial->scratch};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
    reals_free(owned[i]);
}

/* The sum of grad_out times the output; what is not NULL is added to. */
static double plain(const struct trial *trial, const double *x, const double *sums, double *out,
                    double *grad_x, double *grad_sums) {
  const struct tensor_product *op = &trial->product.op;
  double f = 0.0;
  for (size_t e = 0; e < EDGES; e++)
    for (size_t p = 0; p < op->n_pairs; p++)
      for (size_t t = op->first[p]; t < op->first[p + 1]; t++)
        for (size_t c = 0; c < op->channels; c++) {
          const size_t row = receivers[e] - FIRST_ROW;
          const size_t i = e * op->in_dim + op->pairs[p].in * op->channels + c;
          const size_t o = e * op->out_dim + op->pairs[p].out * op->channels + c;
          const size_t j = row * op->sums_dim + op->component[t] * op->channels + c;
          const double g = trial->grad_out.exact[o];
          const double w =
              trial->weights.exact[op->weights +
                                   (c / IRREP_LANES * trial->product.n_terms + t) * IRREP_LANES +
                                   c % IRREP_LANES];
          f += g * w * x[i] * sums[j];
          if (out)
            out[o] += w * x[i] * sums[j];
          if (grad_x)
            grad_x[i] += g * w * sums[j];
          if (grad_sums)
            grad_sums[j] += g * w * x[i];
        }
  return f;
}

/* Sums of up to 50 products of three numbers of size 1, and for grad_sums 13 times as many. */
#define EPSILONS 60

static void forward(struct trial *trial, size_t first, size_t n) {
  const struct tensor_product *op = &trial->product.op;
  trial->out.kernels->tensor_product(op, n, receivers + first, FIRST_ROW, trial->weights.data,
                                     real_at(&trial->x, first * op->in_dim), trial->sums.data,
                                     real_at(&trial->out, first * op->out_dim),
                                     trial->scratch.data);
}

static void adjoint(struct trial *trial, size_t first, size_t n, bool accumulate, void *grad_sums) {
  const struct tensor_product *op = &trial->product.op;
  trial->out.kernels->tensor_product_adjoint(
      op, n, receivers + first, FIRST_ROW, trial->weights.data,
      real_at(&trial->x, first * op->in_dim), trial->sums.data,
      real_at(&trial->grad_out, first * op->out_dim), real_at(&trial->grad_x, first * op->in_dim),
      accumulate, grad_sums, trial->scratch.data);
}

static void check_forward(const struct kernels *kernels, size_t channels) {
  struct trial trial;
  trial_init(&trial, kernels, channels);
  double *expected = doubles_new(trial.out.n);
  plain(&trial, trial.x.exact, trial.sums.exact, expected, NULL, NULL);
  forward(&trial, 0, EDGES);
  reals_read(&trial.out);
  assert_all_close(trial.out.exact, expected, trial.out.n, EPSILONS * epsilon_of(kernels), 0.0);
  free(expected);
  trial_fini(&trial);
}

static void check_adjoint(const struct kernels *kernels, size_t channels, bool accumulate,
                          bool collects) {
  struct trial trial;
  trial_init(&trial, kernels, channels);
  double *grad_x = doubles_new(trial.grad_x.n), *grad_sums = doubles_new(trial.grad_sums.n);
  if (accumulate)
    memcpy(grad_x, trial.grad_x.exact, trial.grad_x.n * sizeof(double));
  memcpy(grad_sums, trial.grad_sums.exact, trial.grad_sums.n * sizeof(double));
  plain(&trial, trial.x.exact, trial.sums.exact, NULL, grad_x, collects ? grad_sums : NULL);
  adjoint(&trial, 0, EDGES, accumulate, collects ? trial.grad_sums.data : NULL);
  reals_read(&trial.grad_x);
  reals_read(&trial.grad_sums);
  assert_all_close(trial.grad_x.exact, grad_x, trial.grad_x.n, EPSILONS * epsilon_of(kernels), 0.0);
  assert_all_close(trial.grad_sums.exact, grad_sums, trial.grad_sums.n,
                   13 * EPSILONS * epsilon_of(kernels), 0.0);
  free(grad_x);
  free(grad_sums);
  trial_fini(&trial);
}

static void check_cases(const struct kernels *kernels) {
  for (size_t i = 0; i < 2; i++) {
    check_forward(kernels, channel_counts[i]);
    for (int choice = 0; choice < 4; choice++)
      check_adjoint(kernels, channel_counts[i], choice & 1, choice & 2);
  }
}

static void test_both_directions_equal_loops(void **state) {
  (void)state;
  for_each_table(check_cases);
}

static double of_features(const double *x, void *context) {
  const struct trial *trial = context;
  return plain(trial, x, trial->sums.exact, NULL, NULL, NULL);
}

static double of_sums(const double *sums, void *context) {
  const struct trial *trial = context;
  return plain(trial, trial->x.exact, sums, NULL, NULL, NULL);
}

/* The loops that the kernels are compared with are themselves a function and its gradient. */
static void test_loops_are_a_gradient(void **state) {
  (void)state;
  struct trial trial;
  trial_init(&trial, kernels_for(IRREP_FLOAT64, NULL), 16);
  double *grad_x = doubles_new(trial.x.n), *grad_sums = doubles_new(trial.sums.n);
  plain(&trial, trial.x.exact, trial.sums.exact, NULL, grad_x, grad_sums);
  assert_gradient(of_features, &trial, trial.x.n, trial.x.exact, grad_x, 1e-2, 1e-11);
  assert_gradient(of_sums, &trial, trial.sums.n, trial.sums.exact, grad_sums, 1e-2, 1e-11);
  free(grad_x);
  free(grad_sums);
  trial_fini(&trial);
}

/* An edge has the bits that it has alone. */
static void check_edges(const struct kernels *kernels) {
  struct trial all, alone;
  trial_init(&all, kernels, 48);
  trial_init(&alone, kernels, 48);
  forward(&all, 0, EDGES);
  adjoint(&all, 0, EDGES, false, NULL);
  for (size_t e = 0; e < EDGES; e++) {
    forward(&alone, e, 1);
    adjoint(&alone, e, 1, false, NULL);
  }
  assert_same_bits(&all.out, 0, &alone.out, 0, all.out.n);
  assert_same_bits(&all.grad_x, 0, &alone.grad_x, 0, all.grad_x.n);
  trial_fini(&all);
  trial_fini(&alone);
}

/* A receiver's gradient has the bits that it has without the others. */
static void check_receivers(const struct kernels *kernels) {
  struct trial all, alone;
  trial_init(&all, kernels, 16);
  trial_init(&alone, kernels, 16);
  adjoint(&all, 0, EDGES, false, all.grad_sums.data);
  for (size_t e = EDGES; e > 0;) {
    size_t first = e - 1;
    while (first > 0 && receivers[first - 1] == receivers[e - 1])
      first--;
    adjoint(&alone, first, e - first, false, alone.grad_sums.data);
    e = first;
  }
  assert_same_bits(&all.grad_sums, 0, &alone.grad_sums, 0, all.grad_sums.n);
  trial_fini(&all);
  trial_fini(&alone);
}

static void test_edges_do_not_depend_on_each_other(void **state) {
  (void)state;
  for_each_table(check_edges);
  for_each_table(check_receivers);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_loops),
      cmocka_unit_test(test_loops_are_a_gradient),
      cmocka_unit_test(test_edges_do_not_depend_on_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
