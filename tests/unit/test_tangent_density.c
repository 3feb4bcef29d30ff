#include "tests/unit/support_tangent.h"

static void check(bool envelope, bool shared) {
  struct program program = {0};
  struct rng rng = {5};
  test_program_begin(&program, (struct program_options){.envelope = envelope});
  const size_t in = put_moving(&program, &rng, 16), out = program_tensor(&program, 16);
  struct filter filter = put_filter(&program, &rng, IRREP_LANES);
  filter.last = ACTIVATION_TANH_SQUARE;
  struct op *op = program_op(&program, OP_DENSITY, in, out);
  op->message.convolution.n_columns = IRREP_LANES;
  op->message.filter = filter;
  op->message.offset = 1.5;
  op->message.scale = 0.7;
  put_readout(&program, &rng, out);
  if (shared)
    put_readout(&program, &rng, in);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  check_hessian(&program);
}

static void test_density(void **state) {
  (void)state;
  check(false, false);
  check(true, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_density),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
