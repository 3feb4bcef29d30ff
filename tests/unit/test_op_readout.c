#include "tests/unit/support_op.h"

/* embedding -> two readouts */
static void start(struct op_trial *trial, const struct kernels *kernels, size_t index) {
  struct rng rng = {4};
  test_program_begin(&trial->program, (struct program_options){0});
  const size_t in = put_embedding(&trial->program, &rng, 32);
  put_readout(&trial->program, &rng, in);
  put_readout(&trial->program, &rng, in);
  op_trial_start(trial, kernels, index);
}

static void check_forward(const struct kernels *kernels) {
  struct op_trial trial = {0};
  start(&trial, kernels, 1);
  struct reals x = op_rows(&trial, trial.op->in, false);
  double expected[OP_ATOMS];
  memcpy(expected, trial.test.workspace.energies, sizeof expected);
  kernels->readout(OP_ROWS, 32, trial.test.workspace.batch.species + OP_FIRST,
                   real_at(&trial.test.weights, trial.op->readout.weights), trial.op->readout.scale,
                   real_at(&x, OP_FIRST * 32), expected + OP_FIRST);
  cpu_ops[trial.op->id]->forward(&trial.run, trial.op);
  assert_memory_equal(trial.test.workspace.energies, expected, sizeof expected);
  assert_true(expected[OP_FIRST] != (double)OP_FIRST);
  reals_free(&x);
  op_trial_end(&trial);
}

static void check_adjoint(const struct kernels *kernels) {
  for (size_t which = 1; which <= 2; which++) {
    struct op_trial trial = {0};
    start(&trial, kernels, which);
    assert_int_equal(trial.op->grad_accumulate, which == 1);
    struct reals before = op_rows(&trial, trial.op->in, true), tile = tile_rows(&before, 32);
    kernels->readout_adjoint(OP_ROWS, 32, trial.test.workspace.batch.species + OP_FIRST,
                             real_at(&trial.test.weights, trial.op->readout.weights),
                             trial.op->readout.scale, tile.data, which == 1);
    cpu_ops[trial.op->id]->adjoint(&trial.run, trial.op);
    assert_tile_written(&trial, trial.op->in, true, &before, &tile);
    reals_free(&before);
    reals_free(&tile);
    op_trial_end(&trial);
  }
}

static void test_forward_adds_to_the_tiles_energies(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static void test_adjoint_writes_the_tile(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_adds_to_the_tiles_energies),
      cmocka_unit_test(test_adjoint_writes_the_tile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
