#include "tests/unit/support_op.h"
#include "tests/unit/support_tensor_square.h"

#define N_OUTPUTS 4
#define IN_DIM (2 * SELF_COMPONENTS * IRREP_LANES)
#define OUT_DIM (N_OUTPUTS * IRREP_LANES)

/* embedding -> tensor square -> readout; the product's input may have a second reader. */
static void start(struct op_trial *trial, const struct kernels *kernels, bool shared) {
  static struct test_tensor_square product; /* the program refers to it */
  struct rng rng = {3};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, IN_DIM), out = program_tensor(program, OUT_DIM);
  tensor_square_init(&product, N_OUTPUTS, IRREP_LANES);
  product.op.couplings.values = program_weights(program, product.n_terms);
  memcpy(program->weights + product.op.couplings.values, product.values,
         product.n_terms * sizeof(double));
  program_op(program, OP_TENSOR_SQUARE, in, out)->tensor_square = product.op;
  put_readout(program, &rng, out);
  if (shared)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, 1);
}

static void forward(const struct op_call *call) {
  call->kernels->tensor_square(&call->op->tensor_square, OP_ROWS, call->weights, call->x,
                               call->written);
}

static void adjoint(const struct op_call *call) {
  call->kernels->tensor_square_adjoint(&call->op->tensor_square, OP_ROWS, call->weights, call->x,
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
