#include "tests/unit/support_tangent.h"
#include "tests/unit/support_tensor_square.h"

#define N_OUTPUTS 4
#define IN_DIM (2 * SELF_COMPONENTS * IRREP_LANES)
#define OUT_DIM (N_OUTPUTS * IRREP_LANES)

static void check(bool shared, bool adds_first) {
  static struct test_tensor_square product; /* the program refers to it */
  struct program program = {0};
  struct rng rng = {3};
  test_program_begin(&program, (struct program_options){0});
  const size_t in = put_moving(&program, &rng, IN_DIM), out = program_tensor(&program, OUT_DIM);
  tensor_square_init(&product, N_OUTPUTS, IRREP_LANES);
  product.op.adds_first = adds_first;
  product.op.couplings.values = program_weights(&program, product.n_terms);
  memcpy(program.weights + product.op.couplings.values, product.values,
         product.n_terms * sizeof(double));
  program_op(&program, OP_TENSOR_SQUARE, in, out)->tensor_square = product.op;
  put_readout(&program, &rng, out);
  if (shared)
    put_readout(&program, &rng, in);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  check_hessian(&program);
}

static void test_tensor_square(void **state) {
  (void)state;
  check(false, true);
  check(true, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tensor_square),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
