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

static void forward(const struct op_call *call) {
  call->kernels->gate(&call->op->gate, OP_ROWS, call->x, call->written);
}

static void adjoint(const struct op_call *call) {
  call->kernels->gate_adjoint(&call->op->gate, OP_ROWS, call->x, call->grad_out, call->written,
                              call->accumulate);
}

static void check_forward(const struct kernels *kernels) {
  struct op_trial trial = {0};
  start(&trial, kernels, false);
  check_op_forward(&trial, forward);
}

static void check_adjoint(const struct kernels *kernels) {
  for (int shared = 0; shared < 2; shared++) {
    struct op_trial trial = {0};
    start(&trial, kernels, shared);
    check_op_adjoint(&trial, adjoint, shared);
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
