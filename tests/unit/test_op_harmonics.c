#include "tests/unit/support_local.h"

static const enum op_id types[] = {OP_HARMONICS, OP_ENVIRONMENT};

/* What the kernel is given for the tile's edges. */
struct arguments {
  uint32_t rows[EDGE_ROWS];
  double factors[EDGE_ROWS];
  const void *harmonics;
};

static struct arguments arguments_of(const struct local_trial *trial) {
  const struct run *run = &trial->run;
  const struct batch *batch = &run->workspace->batch;
  struct arguments a = {.harmonics =
                            (unsigned char *)run->workspace->harmonics +
                            run->first_edge * HARMONICS(LOCAL_L_MAX) * run->kernels->real_size};
  for (size_t e = 0; e < run->n_edges; e++) {
    const uint32_t receiver = batch->receivers[run->first_edge + e];
    a.rows[e] = receiver - LOCAL_FIRST;
    a.factors[e] = 0.2 * (batch->species[receiver] ? 0.8 : 1.0);
  }
  return a;
}

static void check_forward(const struct kernels *kernels) {
  for (size_t i = 0; i < 2; i++) {
    struct local_trial trial;
    local_trial_init(&trial, kernels, types[i]);
    const bool summed = types[i] == OP_ENVIRONMENT;
    const struct arguments a = arguments_of(&trial);
    struct reals x = local_rows(&trial, trial.op->in, false);
    struct reals expected = local_rows(&trial, trial.op->out, false);
    kernels->weighted_harmonics(&trial.op->harmonics.weighted, trial.run.n_edges,
                                summed ? a.rows : NULL, summed ? a.factors : NULL, a.harmonics,
                                x.data, expected.data);
    cpu_ops[types[i]]->forward(&trial.run, trial.op);
    assert_local_rows(&trial, trial.op->out, false, &expected);
    reals_free(&x);
    local_trial_fini(&trial);
  }
}

static void check_adjoint(const struct kernels *kernels) {
  for (size_t i = 0; i < 2; i++) {
    struct local_trial trial;
    local_trial_init(&trial, kernels, types[i]);
    const bool summed = types[i] == OP_ENVIRONMENT;
    const struct arguments a = arguments_of(&trial);
    double *gradients = trial.test.workspace.grad_harmonics;
    const size_t n = trial.test.workspace.batch.n_edges * HARMONICS(LOCAL_L_MAX);
    double *expected_y = doubles_copy(gradients, n);
    struct reals x = local_rows(&trial, trial.op->in, false);
    struct reals grad_out = local_rows(&trial, trial.op->out, true);
    struct reals expected = local_rows(&trial, trial.op->in, true);
    kernels->weighted_harmonics_adjoint(
        &trial.op->harmonics.weighted, trial.run.n_edges, summed ? a.rows : NULL,
        summed ? a.factors : NULL, a.harmonics, x.data, grad_out.data, expected.data,
        trial.op->grad_accumulate, expected_y + trial.run.first_edge * HARMONICS(LOCAL_L_MAX));
    cpu_ops[types[i]]->adjoint(&trial.run, trial.op);
    assert_local_rows(&trial, trial.op->in, true, &expected);
    assert_memory_equal(gradients, expected_y, n * sizeof(double));
    free(expected_y);
    reals_free(&x);
    reals_free(&grad_out);
    local_trial_fini(&trial);
  }
}

static void test_forward_runs_the_kernel_on_the_tile(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static void test_adjoint_runs_the_kernel_on_the_tile(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_runs_the_kernel_on_the_tile),
      cmocka_unit_test(test_adjoint_runs_the_kernel_on_the_tile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
