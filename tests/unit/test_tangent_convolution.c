#include "tests/unit/support_tangent.h"

/* Two convolutions, with vectors between them, the input of the second one with another reader. */
static void check(bool envelope, bool shared) {
  struct program program = {0};
  struct rng rng = {5};
  test_program_begin(&program, (struct program_options){.envelope = envelope});
  size_t value = put_embedding(&program, &rng, 16), last = value;
  static const char *const irreps[] = {"16x0e", "16x0e+16x1e", "16x0e+16x1e"};
  for (size_t k = 0; k < 2; k++) {
    last = value;
    value = program_tensor(&program, 64);
    struct op *op = program_op(&program, OP_CONVOLUTION, last, value);
    op->message.convolution = put_convolution(&program, irreps[k], irreps[k + 1]);
    op->message.filter = put_filter(&program, &rng, op->message.convolution.n_columns);
  }
  put_readout(&program, &rng, value);
  if (shared)
    put_readout(&program, &rng, last);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  check_hessian(&program);
}

static void test_convolution(void **state) {
  (void)state;
  check(false, false);
  check(true, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_convolution),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
