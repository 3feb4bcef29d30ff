#include "irrep/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_one_version(void **state) {
  (void)state;
  char numbers[64];
  snprintf(numbers, sizeof numbers, "%d.%d.%d", IRREP_VERSION_MAJOR, IRREP_VERSION_MINOR,
           IRREP_VERSION_PATCH);
  assert_string_equal(numbers, IRREP_VERSION);
  assert_string_equal(irrep_version(), IRREP_VERSION);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_version)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
