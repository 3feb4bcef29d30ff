#include "server/base/shortest.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void write_number(double number, char text[SHORTEST_MAX + 1]) {
  size_t n = shortest_double(text, number);
  assert_in_range(n, 1, SHORTEST_MAX);
  text[n] = '\0';
}

static void expect(double number, const char *wanted) {
  char text[SHORTEST_MAX + 1];
  write_number(number, text);
  assert_string_equal(text, wanted);
}

static void test_known_numbers(void **state) {
  (void)state;
  expect(0.1, "0.1");
  expect(0.1 + 0.2, "0.30000000000000004");
  expect(-0.0, "-0");
  expect(1e-5, "1e-05");
  expect(9007199254740993.0, "9007199254740992");
  expect(DBL_TRUE_MIN, "5e-324");
  expect(DBL_MIN, "2.2250738585072014e-308");
  expect(-DBL_MAX, "-1.7976931348623157e+308");
  expect(-1.2345678901234567e-308, "-1.2345678901234567e-308");
}

static size_t count_digits(const char *text) {
  size_t n = 0;
  for (; *text && *text != 'e'; text++)
    n += *text >= '0' && *text <= '9' && (n > 0 || *text != '0');
  return n;
}

/* Every number reads back, and none in scientific notation does with one digit less. */
static void test_nothing_shorter_reads_back(void **state) {
  (void)state;
  uint64_t seed = 1;
  for (int i = 0; i < 20000; i++) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const uint64_t bits = seed ^ seed >> 29;
    double number;
    char text[SHORTEST_MAX + 1], rounded[64];
    memcpy(&number, &bits, sizeof number);
    if (!isfinite(number) || fabs(number) < DBL_MIN)
      continue;
    write_number(number, text);
    assert_true(strtod(text, NULL) == number);
    const size_t n = count_digits(text);
    if (n > 1 && strchr(text, 'e')) {
      snprintf(rounded, sizeof rounded, "%.*e", (int)n - 2, number);
      assert_true(strtod(rounded, NULL) != number);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_numbers),
      cmocka_unit_test(test_nothing_shorter_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
