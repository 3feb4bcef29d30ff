#include "tests/unit/support_op.h"

/* embedding -> linear -> readout, the linear map by species, writing or adding. */
static void start(struct op_trial *trial, const struct kernels *kernels, bool accumulate) {
  struct rng rng = {2};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, 16), out = program_tensor(program, 48);
  if (accumulate)
    program_op(program, OP_LINEAR, in, out)->linear =
        put_linear(program, &rng, "16x0e", "48x0e", false);
  struct op *op = program_op(program, OP_LINEAR, in, out);
  op->accumulate = accumulate;
  op->linear = put_linear(program, &rng, "16x0e", "48x0e", true);
  put_readout(program, &rng, out);
  op_trial_start(trial, kernels, accumulate ? 2 : 1);
}

static void forward(const struct op_call *call) {
  call->kernels->linear(&call->op->linear, OP_ROWS, call->species, call->weights, call->x,
                        call->written, call->accumulate);
}

static void adjoint(const struct op_call *call) {
  call->kernels->linear_adjoint(&call->op->linear, OP_ROWS, call->species, call->weights,
                                call->grad_out, call->written, call->accumulate);
}

static void check_forward(const struct kernels *kernels) {
  for (int accumulate = 0; accumulate < 2; accumulate++) {
    struct op_trial trial = {0};
    start(&trial, kernels, accumulate);
    check_op_forward(&trial, forward);
  }
}

/* Of two maps of one value, the adjoint of the last writes and that of the first adds. */
static void check_adjoint(const struct kernels *kernels) {
  for (size_t which = 1; which <= 2; which++) {
    struct op_trial trial = {0};
    start(&trial, kernels, true);
    trial.op = &trial.program.ops[which];
    check_op_adjoint(&trial, adjoint, which == 1);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_writes_the_tile),
      cmocka_unit_test(test_adjoint_writes_the_tile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
