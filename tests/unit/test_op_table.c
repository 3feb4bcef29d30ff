#include "core/cpu/op_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* The compiler of programs plans by the traits; the evaluator calls what the table has. */
static void test_runs_what_the_traits_say(void **state) {
  (void)state;
  for (size_t id = 0; id < N_OPS; id++) {
    assert_non_null(cpu_ops[id]);
    assert_non_null(cpu_ops[id]->forward);
    assert_int_equal(cpu_ops[id]->adjoint != NULL, op_traits[id].has_adjoint);
    for (size_t other = 0; other < id; other++)
      assert_ptr_not_equal(cpu_ops[id], cpu_ops[other]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_runs_what_the_traits_say)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
