#include "tests/unit/support_op.h"

/* embedding -> layer norm -> readout; the norm's input may have a second reader behind it. */
static void start(struct op_trial *trial, const struct kernels *kernels, bool shared) {
  struct rng rng = {3};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, 32), out = program_tensor(program, 32);
  const size_t gains = put_weights(program, &rng, 32, 1.0);
  const size_t offsets = put_weights(program, &rng, 32, 1.0), shares = program_weights(program, 32);
  for (size_t i = 0; i < 32; i++)
    program->weights[shares + i] = 1.0 / 32;
  program_op(program, OP_LAYER_NORM, in, out)->layer_norm =
      (struct layer_norm){32, gains, offsets, shares, 1e-5};
  put_readout(program, &rng, out);
  if (shared)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, 1);
}

static void forward(const struct op_call *call) {
  call->kernels->layer_norm(&call->op->layer_norm, OP_ROWS, call->weights, call->x, call->written);
}

static void adjoint(const struct op_call *call) {
  call->kernels->layer_norm_adjoint(&call->op->layer_norm, OP_ROWS, call->weights, call->x,
                                    call->grad_out, call->written, call->accumulate);
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
