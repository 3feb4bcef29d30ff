#include "tests/unit/support_local.h"

static const uint32_t *receivers_of(const struct local_trial *trial) {
  return trial->test.workspace.batch.receivers + trial->run.first_edge;
}

static struct reals scratch_for(const struct local_trial *trial) {
  return reals_zero(trial->run.kernels, 2 * IRREP_LANES * trial->op->tensor_product.n_pairs);
}

static void check_forward(const struct kernels *kernels) {
  struct local_trial trial;
  local_trial_init(&trial, kernels, OP_TENSOR_PRODUCT);
  struct reals x = local_rows(&trial, trial.op->in, false);
  struct reals sums = local_rows(&trial, trial.op->sums, false);
  struct reals expected = local_rows(&trial, trial.op->out, false), scratch = scratch_for(&trial);
  kernels->tensor_product(&trial.op->tensor_product, trial.run.n_edges, receivers_of(&trial),
                          LOCAL_FIRST, trial.test.weights.data, x.data, sums.data, expected.data,
                          scratch.data);
  cpu_tensor_product.forward(&trial.run, trial.op);
  assert_local_rows(&trial, trial.op->out, false, &expected);
  reals_free(&x);
  reals_free(&sums);
  reals_free(&scratch);
  local_trial_fini(&trial);
}

/* The gradient of the sums is added to when all are collected, or these; otherwise left alone. */
static void check_adjoint(const struct kernels *kernels) {
  for (int choice = 0; choice < 4; choice++) {
    struct local_trial trial;
    local_trial_init(&trial, kernels, OP_TENSOR_PRODUCT);
    const size_t collects[] = {COLLECTS_ALL, trial.op->sums, COLLECTS_NONE, trial.op->in};
    trial.run.collects = collects[choice];
    struct reals x = local_rows(&trial, trial.op->in, false);
    struct reals sums = local_rows(&trial, trial.op->sums, false);
    struct reals grad_out = local_rows(&trial, trial.op->out, true);
    struct reals expected = local_rows(&trial, trial.op->in, true);
    struct reals expected_sums = local_rows(&trial, trial.op->sums, true);
    struct reals scratch = scratch_for(&trial);
    kernels->tensor_product_adjoint(
        &trial.op->tensor_product, trial.run.n_edges, receivers_of(&trial), LOCAL_FIRST,
        trial.test.weights.data, x.data, sums.data, grad_out.data, expected.data,
        trial.op->grad_accumulate, choice < 2 ? expected_sums.data : NULL, scratch.data);
    cpu_tensor_product.adjoint(&trial.run, trial.op);
    assert_local_rows(&trial, trial.op->in, true, &expected);
    assert_local_rows(&trial, trial.op->sums, true, &expected_sums);
    reals_free(&x);
    reals_free(&sums);
    reals_free(&grad_out);
    reals_free(&scratch);
    local_trial_fini(&trial);
  }
}

static void test_forward_runs_the_kernel_on_the_tile(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static void test_adjoint_collects_what_it_should(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_runs_the_kernel_on_the_tile),
      cmocka_unit_test(test_adjoint_collects_what_it_should),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
