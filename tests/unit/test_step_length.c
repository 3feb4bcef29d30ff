#include "core/dynamics/step_length.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_longest_and_limit(void **state) {
  (void)state;
  double rows[6] = {3, 4, 0, 0, 0, 2}, none[6] = {0, (double)NAN, 0, 9, 9, 9};
  assert_true(optimizer_longest(rows, 6) == 5);
  assert_true(isnan(optimizer_longest(none, 6)));
  optimizer_limit(rows, 6, 5, 6);
  assert_true(rows[1] == 4);
  optimizer_limit(rows, 6, 5, 2.5);
  assert_true(rows[0] == 1.5 && rows[1] == 2 && rows[5] == 1);
}

/* Whatever is left over behind the last group of four counts once. */
static void test_dot(void **state) {
  (void)state;
  static const double a[] = {1, 2, 3, 4, 5, 6, 7}, b[] = {7, 6, 5, 4, 3, 2, 1};
  double sum = 0;
  for (size_t n = 0; n < 7; n++) {
    assert_true(optimizer_dot(a, b, n) == sum);
    sum += a[n] * b[n];
  }
  /* The order of the sums: the first of each group cancel before the rest is added. */
  static const double large[] = {1e300, 1, 0, 0, -1e300, 0, 0, 0},
                      ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
  assert_true(optimizer_dot(large, ones, 8) == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_longest_and_limit),
      cmocka_unit_test(test_dot),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
