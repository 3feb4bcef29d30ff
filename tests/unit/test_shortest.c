#include "core/base/shortest.h"

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

/* Fixed notation where it is not longer. */
static void test_notation(void **state) {
  (void)state;
  expect(0.001, "0.001");
  expect(0.0001, "1e-04");
  expect(0.00012, "0.00012");
  expect(0.000012, "1.2e-05");
  expect(1, "1");
  expect(-10000, "-10000");
  expect(100000, "1e+05");
  expect(120000, "120000");
  expect(123456.7, "123456.7");
  expect(1e22, "1e+22");
  expect(1e23, "1e+23");
  expect(9.5e99, "9.5e+99");
  expect(-9.5e100, "-9.5e+100");
  expect(1.2345678901234567e16, "12345678901234568");
  expect(5e-324, "5e-324");
}

/* Powers of two, below which doubles are nearer than above, and their neighbours. */
static void test_powers_of_two(void **state) {
  (void)state;
  for (int exponent = -1074; exponent <= 1023; exponent++) {
    const double power = ldexp(1, exponent);
    const double numbers[] = {power, nextafter(power, 0), nextafter(power, INFINITY)};
    for (size_t i = 0; i < 3; i++) {
      char text[SHORTEST_MAX + 1];
      if (numbers[i] == 0)
        continue;
      write_number(numbers[i], text);
      assert_true(strtod(text, NULL) == numbers[i]);
    }
  }
  expect(0x1p-44, "5.684341886080802e-14");
  expect(0x1p-1, "0.5");
  expect(9007199254740992, "9007199254740992");
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

/* Of the decimals of so many digits none is nearer; printf rounds correctly. Powers of two are
 * left out, whose nearest decimal of the fewest digits may belong to the double below. */
static void test_nearest(void **state) {
  (void)state;
  uint64_t seed = 3;
  for (int i = 0; i < 20000; i++) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const uint64_t bits = (seed ^ seed >> 29) & INT64_MAX;
    double number;
    char text[SHORTEST_MAX + 1], printed[64];
    memcpy(&number, &bits, sizeof number);
    if (!isfinite(number) || number == 0 || bits << 12 == 0)
      continue;
    write_number(number, text);
    if (number >= 0x1p53 && !strchr(text, 'e'))
      continue; /* with zeros in place of digits */
    snprintf(printed, sizeof printed, "%.*e", (int)count_digits(text) - 1, number);
    size_t n = 0;
    for (const char *digit = printed; *digit != 'e'; digit++)
      if (*digit >= '0' && *digit <= '9') {
        while (text[n] < '0' || text[n] > '9' || (text[n] == '0' && digit == printed))
          n++;
        if (text[n++] != *digit)
          fail_msg("%s in place of %s", text, printed);
      }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_numbers),
      cmocka_unit_test(test_notation),
      cmocka_unit_test(test_powers_of_two),
      cmocka_unit_test(test_nearest),
      cmocka_unit_test(test_nothing_shorter_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
