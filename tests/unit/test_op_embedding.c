#include "tests/unit/support_op.h"

static void check_forward(const struct kernels *kernels) {
  struct op_trial trial = {0};
  struct rng rng = {1};
  test_program_begin(&trial.program, (struct program_options){0});
  const size_t value = put_embedding(&trial.program, &rng, 48);
  put_readout(&trial.program, &rng, value);
  op_trial_start(&trial, kernels, 0);
  struct reals before = op_rows(&trial, value, false), tile = reals_zero(kernels, OP_ROWS * 48);
  for (size_t r = 0; r < OP_ROWS; r++) {
    const size_t species = trial.test.workspace.batch.species[OP_FIRST + r];
    memcpy(real_at(&tile, r * 48),
           real_at(&trial.test.weights, trial.op->embedding.table + species * 48),
           48 * kernels->real_size);
  }
  cpu_ops[trial.op->id]->forward(&trial.run, trial.op);
  assert_tile_written(&trial, value, false, &before, &tile);
  reals_free(&before);
  reals_free(&tile);
  op_trial_end(&trial);
}

static void test_forward_writes_the_tile(void **state) {
  (void)state;
  for_each_table(check_forward);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_writes_the_tile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
