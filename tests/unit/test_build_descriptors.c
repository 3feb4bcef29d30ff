#include "tests/unit/support_build.h"

static void test_columns_follow_layer_by_layer(void **state) {
  (void)state;
  struct writer writer = {0};
  struct build_trial trial;
  struct irreps irreps;
  struct layout layout;
  size_t first, second;
  build_trial_init(&trial, &writer, "{\"model\":{}}");
  assert_int_equal(irreps_parse("3x0e+2x0o+2x1o", &irreps, NULL), IRREP_OK);
  assert_true(layout_of_irreps(&trial.build, &irreps, &layout));
  assert_true(build_tensor(&trial.build, &layout, &first));
  assert_null(trial.program.descriptor_irreps);
  assert_true(build_descriptors(&trial.build, first, &layout));
  assert_int_equal(trial.program.n_descriptors, 3);
  assert_int_equal(trial.program.n_descriptors_l, 11);
  assert_true(build_tensor(&trial.build, &layout, &second));
  assert_true(build_descriptors(&trial.build, second, &layout));
  assert_int_equal(trial.program.n_descriptors, 6);
  assert_int_equal(trial.program.n_descriptors_l, 22);
  assert_string_equal(trial.program.descriptor_irreps, "3x0e+2x0o+2x1o 3x0e+2x0o+2x1o");
  assert_int_equal(trial.program.n_ops, 2);
  const struct op *op = &trial.program.ops[1];
  assert_int_equal(op->id, OP_DESCRIPTORS);
  assert_int_equal(op->in, second);
  assert_int_equal(op->descriptors.n, 3);
  const struct described_irrep *scalars = &op->descriptors.irreps[0],
                               *odd = &op->descriptors.irreps[1],
                               *vectors = &op->descriptors.irreps[2];
  assert_true(scalars->is_invariant && !odd->is_invariant && !vectors->is_invariant);
  assert_int_equal(scalars->column, 11);
  assert_int_equal(scalars->invariant_column, 3);
  assert_int_equal(odd->column, 14);
  assert_int_equal(vectors->column, 16);
  assert_int_equal(vectors->n_m, 3);
  assert_int_equal(vectors->n_channels, 2);
  assert_int_equal(vectors->in_offset, 32);
  assert_int_equal(vectors->in_stride, 16);
  build_trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns_follow_layer_by_layer)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
