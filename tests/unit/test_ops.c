#include "core/program/ops.h"
#include "core/program/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_names_are_distinct(void **state) {
  (void)state;
  for (size_t id = 0; id < N_OPS; id++) {
    assert_non_null(op_traits[id].name);
    for (size_t other = 0; other < id; other++)
      assert_string_not_equal(op_traits[id].name, op_traits[other].name);
  }
}

/* What the compiler takes for granted of every kind. */
static void test_traits_go_together(void **state) {
  (void)state;
  for (size_t id = 0; id < N_OPS; id++) {
    const struct op_traits *traits = &op_traits[id];
    if (traits->keeps_in || traits->has_sums || traits->sums_edges || traits->reads_neighbours)
      assert_true(traits->has_in && traits->has_out && traits->has_adjoint);
    if (traits->has_in && traits->has_out)
      assert_true(traits->has_adjoint);
    assert_false(traits->sums_edges && traits->reads_neighbours);
    if (traits->by_row)
      assert_false(traits->has_filter || traits->has_sums || traits->sums_edges ||
                   traits->reads_neighbours);
  }
}

static void test_pairs_are_those_of_the_parameters(void **state) {
  (void)state;
  struct op op = {.id = OP_CONVOLUTION};
  op.message.convolution.by_pair.n_rows = 17;
  assert_int_equal(op_traits[op.id].n_pairs(&op), 17);
  op = (struct op){.id = OP_TENSOR_PRODUCT};
  op.tensor_product.n_pairs = 9;
  assert_int_equal(op_traits[op.id].n_pairs(&op), 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names_are_distinct),
      cmocka_unit_test(test_traits_go_together),
      cmocka_unit_test(test_pairs_are_those_of_the_parameters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
