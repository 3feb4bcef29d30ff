#define _GNU_SOURCE /* newlocale, uselocale */
#include "core/base/decimal.h"

#include <float.h>
#include <locale.h>
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

static uint64_t random_bits(void) {
  static uint64_t seed = 1;
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return seed ^ seed >> 29;
}

/* The value of a text in a block of its exact size, so that the sanitizers see a read beyond. */
static double value_of(const char *text) {
  const size_t size = strlen(text);
  char *copy = malloc(size);
  struct decimal decimal;
  assert_non_null(copy);
  memcpy(copy, text, size);
  if (!decimal_scan(copy, copy + size, &decimal) || decimal.end != copy + size)
    fail_msg("%s: not a number", text);
  const double value = decimal_value(&decimal);
  free(copy);
  return value;
}

static void expect_as_strtod(const char *text) {
  const double value = value_of(text), expected = strtod(text, NULL);
  if (memcmp(&value, &expected, sizeof value) != 0)
    fail_msg("%s: %a in place of %a", text, value, expected);
}

static void test_grammar(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t end;
    bool good;
  } rows[] = {
      {"0", 1, true},
      {"-0", 2, true},
      {"10", 2, true},
      {"1.50", 4, true},
      {"1E5", 3, true},
      {"1e+05", 5, true},
      {"0.0e-0", 6, true},
      {"1,", 1, true},
      {"1e5e", 3, true},
      {"1.5.", 3, true},
      {"0x1", 1, true},
      {"1-2", 1, true},
      {"", 0, false},
      {"-", 1, false},
      {"+1", 0, false},
      {".5", 0, false},
      {"00", 2, false},
      {"-01.5", 3, false},
      {"1.", 2, false},
      {"1.e5", 2, false},
      {"1.-", 2, false},
      {"1e", 2, false},
      {"1e+", 3, false},
      {"1e-x", 3, false},
      {"--1", 1, false},
      {"-a", 1, false},
      {"inf", 0, false},
      {"12345678", 8, true},
      {"1234567/", 7, true},
      {"1234567:", 7, true},
      {"0123456789", 10, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct decimal decimal;
    const char *text = rows[i].text;
    const bool good = decimal_scan(text, text + strlen(text), &decimal);
    if (good != rows[i].good || decimal.end != text + rows[i].end)
      fail_msg("%s: %d, ends at %td", text, good, decimal.end - text);
  }
}

static void test_known_numbers(void **state) {
  (void)state;
  static const char *const texts[] = {
      "0", "-0", "0.0", "-0e99", "0e-999999999999999999999", "1", "5.0", "-12.25e-1", "0.1", "1e22",
      "1e23", "9007199254740993", "9007199254740992", "9007199254740991", "-9007199254740993e-2",
      "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e308",
      "1e309", "-1e999", "1e99999999999999999999", "2.2250738585072014E-308",
      "2.2250738585072011e-308", "2.225073858507201e-308", "4.9e-324", "4.9406564584124654e-324",
      "2.4703282292062328e-324", "2.4703282292062327e-324", "1e-342", "1e-343", "1e-400",
      "123456789012345678901234567890", "0.000000000000000000000000000001",
      "100000000000000000000000000000000000000000e-40", "12345678901234567890",
      "1234567890123456789", "18446744073709551615", "18446744073709551616",
      "9999999999999999999e289", "9999999999999999999e290", "8.988465674311580e307", "5e-324",
      "3e-324", "6.9294956446009195e15", "3.518437208883201171875e13", "62.5364939768271845828",
      "8.10109172351e-10", "1.50000000000000011102230246251565", "2.2250738585072012e-308",
      "1.1754941406275178592e-38", "7.2057594037927933e16",
      "0.500000000000000166533453693773481063544750213623046875",
      /* Halfway, and a digit more or less. */
      "9007199254740993.0000000000000000000000000000000000000000000000000000000000000000000001",
      "9007199254740992.9999999999999999999999999999999999999999999999999999999999999999999999",
      "1.00000000000000011102230246251565404236316680908203125",
      "1.00000000000000011102230246251565404236316680908203124",
      "1.00000000000000011102230246251565404236316680908203126",
      "1.00000000000000033306690738754696212708950042724609375"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    expect_as_strtod(texts[i]);
}

/* Doubles of every exponent and sign, written in as many digits as tell them apart and in others.
 */
static void test_written_doubles(void **state) {
  (void)state;
  for (int i = 0; i < 200000; i++) {
    const uint64_t bits = random_bits();
    double number;
    char text[64];
    memcpy(&number, &bits, sizeof number);
    if (!isfinite(number))
      continue;
    snprintf(text, sizeof text, "%.*e", 14 + i % 7, number);
    expect_as_strtod(text);
    if (i % 7 == 2)
      assert_true(value_of(text) == number);
  }
}

/* Digits and exponents that no double has written. */
static void test_any_digits(void **state) {
  (void)state;
  for (int i = 0; i < 200000; i++) {
    const uint64_t digits = random_bits() >> random_bits() % 64;
    const int exponent = (int)(random_bits() % 700) - 360, behind = (int)(random_bits() % 9);
    char text[96], point[96];
    snprintf(text, sizeof text, "%llue%d", (unsigned long long)digits, exponent);
    expect_as_strtod(text);
    snprintf(point, sizeof point, "%u.%0*llue%d", (unsigned)random_bits() >> i % 32, behind + 1,
             (unsigned long long)digits, exponent % 40);
    expect_as_strtod(point);
  }
}

/* The neighbours' midpoint in full, which has up to 768 digits, and texts just beside it. */
static void test_midpoints(void **state) {
  (void)state;
  static char text[1400];
  for (int i = 0; i < 4000; i++) {
    uint64_t bits = random_bits() & INT64_MAX;
    if (i % 4 == 0)
      bits >>= 12 + random_bits() % 52; /* subnormal */
    double number, next;
    memcpy(&number, &bits, sizeof number);
    bits++;
    memcpy(&next, &bits, sizeof next);
    if (!isfinite(next))
      continue;
    /* long double holds the midpoint of all but a few subnormal ones, and strtod decides anyway. */
    const long double midpoint = ((long double)number + (long double)next) / 2;
    snprintf(text, sizeof text, "%.*Le", 770, midpoint);
    expect_as_strtod(text);
    char *exponent = strchr(text, 'e');
    exponent[-1] = '1';
    expect_as_strtod(text);
    snprintf(text, sizeof text, "%.18Le", midpoint);
    expect_as_strtod(text);
  }
}

/* Numbers of any length keep their value. */
static void test_long_numbers(void **state) {
  (void)state;
  enum { N = 5000 };
  static char text[N + 64], zeros[N + 1];
  memset(zeros, '0', N);
  snprintf(text, sizeof text, "-0.%s1", zeros);
  assert_true(value_of(text) == 0 && signbit(value_of(text)));
  snprintf(text, sizeof text, "0.%s1e%d", zeros, N);
  assert_true(value_of(text) == 0.1);
  snprintf(text, sizeof text, "125%se-%d", zeros, N + 2);
  assert_true(value_of(text) == 1.25);
  snprintf(text, sizeof text, "1.5%s", zeros);
  assert_true(value_of(text) == 1.5);
  snprintf(text, sizeof text, "1%s", zeros);
  assert_true(isinf(value_of(text)));
  snprintf(text, sizeof text, "9007199254740993.%s", zeros);
  assert_true(value_of(text) == 9007199254740992);
  snprintf(text, sizeof text, "9007199254740993.%s1", zeros);
  assert_true(value_of(text) == 9007199254740994);
}

/* A decimal comma in the thread's locale must not matter, where the system has such a locale. */
static void test_any_locale(void **state) {
  (void)state;
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C"};
  locale_t locale = (locale_t)0;
  for (size_t i = 0; i < sizeof names / sizeof *names && !locale; i++)
    locale = newlocale(LC_ALL_MASK, names[i], (locale_t)0);
  assert_true(locale != (locale_t)0);
  const locale_t before = uselocale(locale);
  const double plain = value_of("1.5"),
               hard = value_of("1.00000000000000011102230246251565404236316680908203126");
  uselocale(before);
  freelocale(locale);
  assert_true(plain == 1.5 && hard == 1 + DBL_EPSILON);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_grammar),         cmocka_unit_test(test_known_numbers),
      cmocka_unit_test(test_written_doubles), cmocka_unit_test(test_any_digits),
      cmocka_unit_test(test_midpoints),       cmocka_unit_test(test_long_numbers),
      cmocka_unit_test(test_any_locale),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
