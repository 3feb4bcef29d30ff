#include "irrep/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define STATUS_COUNT_ONE(name, message) +1
#define STATUS_COUNT (0 IRREP_STATUS_MAP(STATUS_COUNT_ONE))

static void test_every_status_has_name_and_message(void **state) {
  (void)state;
  for (int s = 0; s < STATUS_COUNT; s++) {
    enum irrep_status status = (enum irrep_status)s;
    assert_true(strlen(irrep_status_name(status)) > 0);
    assert_true(strlen(irrep_status_message(status)) > 0);
    for (int other = 0; other < s; other++) {
      assert_string_not_equal(irrep_status_name(status),
                              irrep_status_name((enum irrep_status)other));
      assert_string_not_equal(irrep_status_message(status),
                              irrep_status_message((enum irrep_status)other));
    }
  }
}

static void test_known_statuses(void **state) {
  (void)state;
  assert_int_equal(IRREP_OK, 0);
  assert_string_equal(irrep_status_name(IRREP_OK), "OK");
  assert_string_equal(irrep_status_name(IRREP_UNKNOWN_ELEMENT), "UNKNOWN_ELEMENT");
  assert_string_equal(irrep_status_message(IRREP_ATOMS_OVERLAP), "atoms on top of each other");
}

static void test_status_out_of_range(void **state) {
  (void)state;
  const int outside[] = {-1, STATUS_COUNT, 1 << 30};
  for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
    enum irrep_status status = (enum irrep_status)outside[i];
    assert_string_equal(irrep_status_name(status), "UNKNOWN");
    assert_string_equal(irrep_status_message(status), "unknown status");
  }
}

static void test_fail_fills_and_returns(void **state) {
  (void)state;
  struct irrep_error error;
  memset(&error, 0x55, sizeof error);
  enum irrep_status status =
      irrep_fail(&error, IRREP_TOO_LARGE, "numbers/3", "%d atoms, at most %s", 7, "six");
  assert_int_equal(status, IRREP_TOO_LARGE);
  assert_int_equal(error.status, IRREP_TOO_LARGE);
  assert_string_equal(error.field, "numbers/3");
  assert_string_equal(error.detail, "7 atoms, at most six");
}

static void test_fail_without_error_or_field(void **state) {
  (void)state;
  assert_int_equal(irrep_fail(NULL, IRREP_NO_ATOMS, "x", "%s", "y"), IRREP_NO_ATOMS);
  struct irrep_error error;
  assert_int_equal(irrep_fail(&error, IRREP_NO_ATOMS, NULL, "none"), IRREP_NO_ATOMS);
  assert_string_equal(error.field, "");
}

static void test_fail_truncates(void **state) {
  (void)state;
  char text[1000];
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  struct irrep_error error;
  irrep_fail(&error, IRREP_BAD_ARGUMENT, text, "%s", text);
  assert_int_equal(strlen(error.field), sizeof error.field - 1);
  assert_int_equal(strlen(error.detail), sizeof error.detail - 1);
}

static void test_fail_may_wrap_its_own_error(void **state) {
  (void)state;
  struct irrep_error error;
  irrep_fail(&error, IRREP_BAD_ARGUMENT, "cell", "inner");
  irrep_fail(&error, IRREP_BAD_MODEL_FILE, error.field, "outer: %s", error.detail);
  assert_int_equal(error.status, IRREP_BAD_MODEL_FILE);
  assert_string_equal(error.field, "cell");
  assert_string_equal(error.detail, "outer: inner");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_status_has_name_and_message),
      cmocka_unit_test(test_known_statuses),
      cmocka_unit_test(test_status_out_of_range),
      cmocka_unit_test(test_fail_fills_and_returns),
      cmocka_unit_test(test_fail_without_error_or_field),
      cmocka_unit_test(test_fail_truncates),
      cmocka_unit_test(test_fail_may_wrap_its_own_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
