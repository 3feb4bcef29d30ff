#include "tests/unit/support_local.h"

static double scale_of(const struct local_trial *trial, size_t e) {
  const struct batch *batch = &trial->test.workspace.batch;
  return batch->species[batch->receivers[trial->run.first_edge + e]] ? 0.4 : 0.5;
}

/* Each edge adds to its receiver; other atoms are left alone. */
static void check_forward(const struct kernels *kernels) {
  struct local_trial trial;
  local_trial_init(&trial, kernels, OP_EDGE_READOUT);
  struct workspace *w = &trial.test.workspace;
  const size_t dim = trial.program.tensors[trial.op->in].dim;
  struct reals x = local_rows(&trial, trial.op->in, false);
  double *expected = doubles_copy(w->energies, w->batch.n_atoms);
  const double *weights = trial.test.weights.exact + trial.op->readout.weights;
  reals_read(&x);
  for (size_t e = 0; e < trial.run.n_edges; e++)
    expected[w->batch.receivers[trial.run.first_edge + e]] +=
        scale_of(&trial, e) * dot(dim, weights, x.exact + e * dim);
  cpu_edge_readout.forward(&trial.run, trial.op);
  assert_all_close(w->energies, expected, w->batch.n_atoms, 20 * epsilon_of(kernels), 0.0);
  assert_memory_equal(w->energies, expected, LOCAL_FIRST * sizeof(double));
  assert_true(w->energies[LOCAL_FIRST + LOCAL_ROWS] == expected[LOCAL_FIRST + LOCAL_ROWS]);
  free(expected);
  reals_free(&x);
  local_trial_fini(&trial);
}

static void check_adjoint(const struct kernels *kernels) {
  struct local_trial trial;
  local_trial_init(&trial, kernels, OP_EDGE_READOUT);
  assert_false(trial.op->grad_accumulate);
  const size_t dim = trial.program.tensors[trial.op->in].dim;
  struct reals gradient = local_rows(&trial, trial.op->in, true);
  double *expected = doubles_new(gradient.n);
  const double *weights = trial.test.weights.exact + trial.op->readout.weights;
  for (size_t i = 0; i < gradient.n; i++)
    expected[i] = scale_of(&trial, i / dim) * weights[i % dim];
  cpu_edge_readout.adjoint(&trial.run, trial.op);
  reals_free(&gradient);
  gradient = local_rows(&trial, trial.op->in, true);
  reals_read(&gradient);
  assert_all_close(gradient.exact, expected, gradient.n, epsilon_of(kernels), 0.0);
  free(expected);
  reals_free(&gradient);
  local_trial_fini(&trial);
}

static void test_forward_adds_to_receivers(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static void test_adjoint_writes_scaled_weights(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_adds_to_receivers),
      cmocka_unit_test(test_adjoint_writes_scaled_weights),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
