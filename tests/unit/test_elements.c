#include "irrep/conventions.h"
#include "server/base/elements.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_round_trip(void **state) {
  (void)state;
  for (int32_t number = 1; number <= IRREP_NUMBER_MAX; number++) {
    const char *symbol = element_symbol(number);
    assert_int_equal(element_number(symbol, strlen(symbol)), number);
  }
}

static void test_some(void **state) {
  (void)state;
  assert_string_equal(element_symbol(1), "H");
  assert_string_equal(element_symbol(14), "Si");
  assert_string_equal(element_symbol(57), "La");
  assert_string_equal(element_symbol(92), "U");
  assert_string_equal(element_symbol(118), "Og");
  assert_int_equal(element_number("Si", 1), 16);
}

static void test_strangers(void **state) {
  (void)state;
  assert_string_equal(element_symbol(0), "X");
  assert_string_equal(element_symbol(-1), "X");
  assert_string_equal(element_symbol(119), "X");
  assert_int_equal(element_number("", 0), 0);
  assert_int_equal(element_number("si", 2), 0);
  assert_int_equal(element_number("X", 1), 0);
  assert_int_equal(element_number("Sii", 3), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_some),
      cmocka_unit_test(test_strangers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
