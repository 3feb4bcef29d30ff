#include "tests/unit/support_op.h"

/* embedding -> matrix norm -> readout; the norm's input may have a second reader behind it. */
static void start(struct op_trial *trial, const struct kernels *kernels, bool shared) {
  struct rng rng = {3};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, 48), out = program_tensor(program, 48);
  program_op(program, OP_MATRIX_NORM, in, out)->matrix_norm = (struct matrix_norm){3, 16};
  put_readout(program, &rng, out);
  if (shared)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, 1);
}

static void forward(const struct op_call *call) {
  call->kernels->matrix_norm(&call->op->matrix_norm, OP_ROWS, call->x, call->written);
}

static void adjoint(const struct op_call *call) {
  call->kernels->matrix_norm_adjoint(&call->op->matrix_norm, OP_ROWS, call->x, call->grad_out,
                                     call->written, call->accumulate);
}

static void check(const struct kernels *kernels) {
  check_op(kernels, start, forward, adjoint);
}

static void test_writes_the_tile(void **state) {
  (void)state;
  for_each_table(check);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_writes_the_tile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
