#include "server/codec/hessian_outputs.h"
#include "tests/unit/support_hessian.h"

#include <setjmp.h>
#include <stdarg.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_names(void **state) {
  (void)state;
  char list[256] = "";
  for (enum hessian_output k = 0; k < N_HESSIAN_OUTPUTS; k++) {
    assert_int_equal(hessian_output_find(hessian_output_name(k)), k);
    strcat(list, k == 0 ? "" : ", ");
    strcat(list, hessian_output_name(k));
  }
  assert_string_equal(list, HESSIAN_OUTPUTS_LIST);
  assert_int_equal(hessian_output_find("energy"), N_HESSIAN_OUTPUTS);
  assert_int_equal(hessian_output_find(""), N_HESSIAN_OUTPUTS);
}

static void test_counts(void **state) {
  (void)state;
  assert_int_equal(hessian_output_count(HESSIAN_MATRIX, 2), 36);
  assert_int_equal(hessian_output_count(HESSIAN_MODES, 2), 36);
  assert_int_equal(hessian_output_count(HESSIAN_FREQUENCIES, 2), 6);
  assert_int_equal(hessian_output_count(HESSIAN_N_RIGID, 2), 1);
  assert_int_equal(hessian_output_count(HESSIAN_MATRIX, SIZE_MAX / 2), SIZE_MAX);
}

static void test_values(void **state) {
  (void)state;
  struct hessian_numbers numbers = springs();
  double one = 0.0;
  assert_ptr_equal(hessian_output_values(HESSIAN_MATRIX, &numbers, &one),
                   irrep_hessian_values(numbers.hessian));
  assert_true(fabs(hessian_output_values(HESSIAN_MATRIX, &numbers, &one)[0] - STIFFNESS) < 1e-9);
  assert_ptr_equal(hessian_output_values(HESSIAN_FREQUENCIES, &numbers, &one), numbers.frequencies);
  assert_ptr_equal(hessian_output_values(HESSIAN_MODES, &numbers, &one), numbers.modes);
  assert_true(*hessian_output_values(HESSIAN_ZERO_POINT_ENERGY, &numbers, &one) == 0.5);
  assert_true(*hessian_output_values(HESSIAN_STEP, &numbers, &one) == 0.01);
  assert_true(*hessian_output_values(HESSIAN_ASYMMETRY, &numbers, &one) < 1e-9);
  assert_true(*hessian_output_values(HESSIAN_N_RIGID, &numbers, &one) == 3.0);
  assert_true(*hessian_output_values(HESSIAN_ANALYTIC, &numbers, &one) == 0.0);
  hessian_numbers_fini(&numbers);
  assert_null(numbers.frequencies);
  hessian_numbers_fini(&numbers);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_counts),
      cmocka_unit_test(test_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
