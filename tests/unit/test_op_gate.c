#include "tests/unit/support_op.h"

/* embedding -> gate -> readout; the gate's input may have a second reader behind it. */
static void start(struct op_trial *trial, const struct kernels *kernels, bool shared) {
  struct rng rng = {3};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, 80), out = program_value(program, 64);
  program_op(program, &op_gate, in, out)->gate = put_gate(program, true);
  put_readout(program, &rng, out);
  if (shared)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, 1);
}

static void check_forward(const struct kernels *kernels) {
  struct op_trial trial = {0};
  start(&trial, kernels, false);
  struct reals x = op_rows(&trial, trial.op->in, false);
  struct reals before = op_rows(&trial, trial.op->out, false), tile = tile_rows(&before, 64);
  kernels->gate(&trial.op->gate, OP_ROWS, real_at(&x, OP_FIRST * 80), tile.data);
  trial.op->type->forward(&trial.run, trial.op);
  assert_tile_written(&trial, trial.op->out, false, &before, &tile);
  reals_free(&x);
  reals_free(&before);
  reals_free(&tile);
  op_trial_end(&trial);
}

static void check_adjoint(const struct kernels *kernels) {
  for (int shared = 0; shared < 2; shared++) {
    struct op_trial trial = {0};
    start(&trial, kernels, shared);
    assert_int_equal(trial.op->grad_accumulate, shared);
    struct reals x = op_rows(&trial, trial.op->in, false),
                 gy = op_rows(&trial, trial.op->out, true);
    struct reals before = op_rows(&trial, trial.op->in, true), tile = tile_rows(&before, 80);
    kernels->gate_adjoint(&trial.op->gate, OP_ROWS, real_at(&x, OP_FIRST * 80),
                          real_at(&gy, OP_FIRST * 64), tile.data, shared);
    trial.op->type->adjoint(&trial.run, trial.op);
    assert_tile_written(&trial, trial.op->in, true, &before, &tile);
    reals_free(&x);
    reals_free(&gy);
    reals_free(&before);
    reals_free(&tile);
    op_trial_end(&trial);
  }
}

static void test_forward_writes_the_tile(void **state) {
  (void)state;
  for_each_table(check_forward);
}

static void test_adjoint_writes_the_tile(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

static void test_type(void **state) {
  (void)state;
  assert_string_equal(op_gate.name, "gate");
  /* Its adjoint reads what went in. */
  assert_true(op_gate.has_in && op_gate.has_out && op_gate.keeps_in);
  assert_false(op_gate.reads_neighbours);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_writes_the_tile),
      cmocka_unit_test(test_adjoint_writes_the_tile),
      cmocka_unit_test(test_type),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
