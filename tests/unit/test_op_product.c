#include "tests/unit/support_op.h"

/* out = c0 a b + c1 a^2 of two scalars a, b: the root, the node a with the leaves a and b. */
static const struct product_node nodes[] = {{0, 0, 0}, {1, 0, 2}};
static const uint8_t leaves[] = {0, 1};
static const struct product_output output = {.n_nodes = 2};
static const size_t in_offset[] = {0, 16};

/* embedding -> product -> readout; the product's input may have a second reader behind it. */
static void start(struct op_trial *trial, const struct kernels *kernels, bool shared) {
  struct rng rng = {3};
  struct program *program = &trial->program;
  test_program_begin(program, (struct program_options){0});
  const size_t in = put_embedding(program, &rng, 32), out = program_tensor(program, 16);
  const size_t weights = put_weights(program, &rng, TEST_SPECIES * 4 * 16, 1.0);
  program_op(program, OP_PRODUCT, in, out)->product = (struct product){.in_dim = 32,
                                                                       .out_dim = 16,
                                                                       .channels = 16,
                                                                       .n_variables = 2,
                                                                       .in_offset = in_offset,
                                                                       .n_outputs = 1,
                                                                       .outputs = &output,
                                                                       .nodes = nodes,
                                                                       .leaves = leaves,
                                                                       .n_coefficients = 4,
                                                                       .weights = weights,
                                                                       .species_stride = 64};
  put_readout(program, &rng, out);
  if (shared)
    put_readout(program, &rng, in);
  op_trial_start(trial, kernels, 1);
}

static void forward(const struct op_call *call) {
  call->kernels->product(&call->op->product, OP_ROWS, call->species, call->weights, call->x,
                         call->written);
}

static void adjoint(const struct op_call *call) {
  call->kernels->product_adjoint(&call->op->product, OP_ROWS, call->species, call->weights, call->x,
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
