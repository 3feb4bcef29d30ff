#include "core/base/text.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void expect_double(double number, const char *wanted) {
  struct text text = {0};
  text_put_double(&text, number);
  char *got = text_take(&text, NULL);
  assert_string_equal(got, wanted);
  free(got);
}

static void test_known_numbers(void **state) {
  (void)state;
  expect_double(0, "0");
  expect_double(-0.0, "-0");
  expect_double(1, "1");
  expect_double(-12345, "-12345");
  expect_double(999999999999999, "999999999999999");
  expect_double(0.1, "0.1");
  expect_double(-14.2, "-14.2");
  expect_double(0.1 + 0.2, "0.30000000000000004");
  expect_double(1e300, "1e+300");
  expect_double(NAN, "null");
  expect_double(INFINITY, "null");
  expect_double(-INFINITY, "null");
}

/* Doubles of every exponent and sign, by a fixed linear congruence, read back to the same bits. */
static void test_numbers_survive(void **state) {
  (void)state;
  uint64_t seed = 42;
  struct text text = {0};
  for (int i = 0; i < 20000; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t bits = seed ^ seed >> 29;
    double number, back;
    memcpy(&number, &bits, sizeof number);
    if (!isfinite(number))
      continue;
    text.size = 0;
    text_put_double(&text, number);
    text_add(&text, "", 1);
    back = strtod(text.bytes, NULL);
    assert_memory_equal(&back, &number, sizeof number);
  }
  const double edges[] = {DBL_MAX, -DBL_MAX, DBL_MIN, DBL_TRUE_MIN, 1e15, 1e15 + 1, 0x1p53, -1e22};
  for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
    text.size = 0;
    text_put_double(&text, edges[i]);
    text_add(&text, "", 1);
    assert_true(strtod(text.bytes, NULL) == edges[i]);
  }
  text_fini(&text);
}

static void test_sizes(void **state) {
  (void)state;
  struct text text = {0};
  text_put_size(&text, 0);
  text_puts(&text, " ");
  text_put_size(&text, SIZE_MAX);
  size_t size = 0;
  char *got = text_take(&text, &size);
  assert_string_equal(got, "0 18446744073709551615");
  assert_int_equal(size, strlen(got));
  free(got);
}

static void test_growth(void **state) {
  (void)state;
  struct text text = {0};
  for (int i = 0; i < 5000; i++)
    text_puts(&text, "0123456789");
  size_t size = 0;
  char *got = text_take(&text, &size);
  assert_int_equal(size, 50000);
  for (size_t i = 0; i < size; i++)
    assert_int_equal(got[i], '0' + (int)(i % 10));
  assert_int_equal(text.capacity, 0);
  free(got);
}

static void test_failure_sticks(void **state) {
  (void)state;
  struct text text = {0};
  text_puts(&text, "some");
  text_add(&text, "x", SIZE_MAX - 2); /* the sum overflows: refused before anything is read */
  assert_true(text.failed);
  text_puts(&text, "more");
  assert_int_equal(text.size, 4);
  assert_null(text_take(&text, NULL));
  assert_null(text.bytes);
}

/* What fits the room that was made does not move the text. */
static void test_reserved_room(void **state) {
  (void)state;
  struct text text = {0};
  const char *bytes = text_room(&text, 100000);
  assert_non_null(bytes);
  assert_true(text.capacity >= 100000 && text.size == 0);
  for (int i = 0; i < 10000; i++)
    text_puts(&text, "0123456789");
  assert_ptr_equal(text.bytes, bytes);
  assert_int_equal(text.size, 100000);
  assert_null(text_room(&text, SIZE_MAX - 10));
  assert_true(text.failed);
  text_fini(&text);
}

/* What the caller writes into the room counts when it has been added to the size. */
static void test_room(void **state) {
  (void)state;
  struct text text = {0};
  text_puts(&text, "ab");
  for (size_t n = 1; n < 5000; n *= 3) {
    char *room = text_room(&text, n);
    assert_ptr_equal(room, text.bytes + text.size);
    memset(room, 'x', n);
  }
  assert_int_equal(text.size, 2);
  text.size += 3;
  char *got = text_take(&text, NULL);
  assert_string_equal(got, "abxxx");
  free(got);
  text = (struct text){0};
  text_puts(&text, "a");
  assert_null(text_room(&text, SIZE_MAX));
  assert_true(text.failed);
  assert_null(text_room(&text, 1));
  text_fini(&text);
}

static void test_fixed(void **state) {
  (void)state;
  char bytes[8] = "";
  struct text text = text_over(bytes, 5);
  text_puts(&text, "abc");
  text_put_size(&text, 12);
  assert_false(text.failed);
  assert_int_equal(text.size, 5);
  assert_memory_equal(bytes, "abc12\0", 6);
  struct text before = text;
  text_puts(&text, "d");
  assert_true(text.failed);
  assert_int_equal(text.size, 5);
  text = before;
  text_add(&text, "", 0);
  assert_false(text.failed);
  text_fini(&text);
  assert_memory_equal(bytes, "abc12\0", 6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_numbers), cmocka_unit_test(test_numbers_survive),
      cmocka_unit_test(test_sizes),         cmocka_unit_test(test_room),
      cmocka_unit_test(test_reserved_room), cmocka_unit_test(test_fixed),
      cmocka_unit_test(test_growth),        cmocka_unit_test(test_failure_sticks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
