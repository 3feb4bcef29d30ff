#include "tests/unit/support_tangent.h"

/* Lengths of vectors of which a row has other features before them and behind. */
static void check(bool shared) {
  struct program program = {0};
  struct rng rng = {3};
  test_program_begin(&program, (struct program_options){0});
  const size_t in = put_moving(&program, &rng, 80), out = program_tensor(&program, 16);
  program_op(&program, OP_VECTOR_NORM, in, out)->vector_norm =
      (struct vector_norm){.in_dim = 80,
                           .out_dim = 16,
                           .channels = 16,
                           .n_m = 3,
                           .in_offset = 16,
                           .in_stride = 16,
                           .epsilon = 1e-2};
  put_readout(&program, &rng, out);
  if (shared)
    put_readout(&program, &rng, in);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  check_hessian(&program);
}

static void test_vector_norm(void **state) {
  (void)state;
  check(false);
  check(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vector_norm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
