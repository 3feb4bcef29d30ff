#include "tests/unit/support_tangent.h"

/* Linear maps by species, that write and that add, and rows of another length added, in front of an
 * activation: by themselves they have no second derivatives. */
static void test_linear(void **state) {
  (void)state;
  struct program program = {0};
  struct rng rng = {2};
  test_program_begin(&program, (struct program_options){0});
  const size_t in = put_moving(&program, &rng, 16), wide = program_tensor(&program, 48);
  const size_t middle = program_tensor(&program, 16), out = program_tensor(&program, 16);
  program_op(&program, OP_LINEAR, in, wide)->linear =
      put_linear(&program, &rng, "16x0e", "48x0e", true);
  struct op *op = program_op(&program, OP_LINEAR, in, wide);
  op->accumulate = true;
  op->linear = put_linear(&program, &rng, "16x0e", "48x0e", false);
  op = program_op(&program, OP_LINEAR, wide, middle);
  op->linear = put_linear(&program, &rng, "48x0e", "16x0e", false);
  op->linear.has_bias = true;
  op->linear.bias = put_weights(&program, &rng, 16, 1.0);
  op->linear.bias_size = 16;
  op = program_op(&program, OP_ADD, wide, middle);
  op->accumulate = true;
  op->add = (struct add){.n = 16, .in_offset = 16};
  program_op(&program, OP_GATE, middle, out)->gate = put_gate(&program, false);
  put_readout(&program, &rng, out);
  put_readout(&program, &rng, wide);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  check_hessian(&program);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_linear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
