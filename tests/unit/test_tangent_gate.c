#include "tests/unit/support_tangent.h"

/* Gates of vectors and plain activations, of which the input may have a second reader. */
static void check(bool vectors, bool shared, enum activation activation) {
  struct program program = {0};
  struct rng rng = {3};
  test_program_begin(&program, (struct program_options){0});
  const size_t in = put_moving(&program, &rng, vectors ? 80 : 16);
  const size_t out = program_tensor(&program, vectors ? 64 : 16);
  struct op *op = program_op(&program, OP_GATE, in, out);
  op->gate = put_gate(&program, vectors);
  ((struct gate_entry *)(uintptr_t)op->gate.entries)[0].activation = activation;
  put_readout(&program, &rng, out);
  if (shared)
    put_readout(&program, &rng, in);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  check_hessian(&program);
}

static void test_activations(void **state) {
  (void)state;
  for (enum activation a = ACTIVATION_IDENTITY; a <= ACTIVATION_TANH_SQUARE; a++)
    if (a != ACTIVATION_ABS)
      check(false, false, a);
}

static void test_gates(void **state) {
  (void)state;
  check(true, false, ACTIVATION_SILU);
  check(true, true, ACTIVATION_MISH);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_activations),
      cmocka_unit_test(test_gates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
