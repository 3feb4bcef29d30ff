#include "tests/unit/support_tangent.h"

static void check(bool shared) {
  struct program program = {0};
  struct rng rng = {3};
  test_program_begin(&program, (struct program_options){0});
  const size_t in = put_moving(&program, &rng, 32), out = program_tensor(&program, 32);
  const size_t gains = put_weights(&program, &rng, 32, 1.0), shares = program_weights(&program, 32);
  for (size_t i = 0; i < 32; i++)
    program.weights[shares + i] = (1.0 + (double)i) / 528;
  program_op(&program, OP_NORM, in, out)->norm = (struct norm){32, gains, shares, 1e-3};
  put_readout(&program, &rng, out);
  if (shared)
    put_readout(&program, &rng, in);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  check_hessian(&program);
}

static void test_norm(void **state) {
  (void)state;
  check(false);
  check(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_norm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
