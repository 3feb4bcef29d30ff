#include "tests/unit/support_tangent.h"

/* out = c0 + c1 b + a (c2 + c3 a + c4 b + b (c5 + c6 a + c7 b)) of two scalars a and b: the root
 * with the leaf b, below it the node a with two leaves, below that the node b with two. */
static const struct product_node nodes[] = {{0, 0, 1}, {1, 0, 2}, {2, 1, 2}};
static const uint8_t leaves[] = {1, 0, 1, 0, 1};
static const struct product_output outputs[] = {
    {.n_nodes = 3}, {.out_offset = 32, .n_nodes = 2, .first_leaf = 0, .first_coefficient = 3}};
static const size_t in_offset[] = {0, 32};

static void check(bool shared) {
  struct program program = {0};
  struct rng rng = {3};
  test_program_begin(&program, (struct program_options){0});
  const size_t in = put_moving(&program, &rng, 64), out = program_tensor(&program, 64);
  const size_t weights = put_weights(&program, &rng, TEST_SPECIES * 2 * 8 * 16, 1.0);
  program_op(&program, OP_PRODUCT, in, out)->product = (struct product){.in_dim = 64,
                                                                        .out_dim = 64,
                                                                        .channels = 32,
                                                                        .n_variables = 2,
                                                                        .in_offset = in_offset,
                                                                        .n_outputs = 2,
                                                                        .outputs = outputs,
                                                                        .nodes = nodes,
                                                                        .leaves = leaves,
                                                                        .n_coefficients = 8,
                                                                        .weights = weights,
                                                                        .species_stride = 256};
  put_readout(&program, &rng, out);
  if (shared)
    put_readout(&program, &rng, in);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  check_hessian(&program);
}

static void test_product(void **state) {
  (void)state;
  check(false);
  check(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_product),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
