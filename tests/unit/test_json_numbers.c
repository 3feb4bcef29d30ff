/* What the JSON reader makes of numbers. */
#include "tests/unit/support_json.h"

#include <float.h>
#include <math.h>

static void doubles_are_correctly_rounded(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double want;
  } cases[] = {{"0", 0},
               {"5.0", 5},
               {"-12.25e-1", -1.225},
               {"0.1", 0.1},
               {"9007199254740993", 9007199254740992},
               {"1.7976931348623157e308", 1.7976931348623157e308},
               {"2.2250738585072014E-308", 2.2250738585072014e-308},
               {"4.9e-324", 4.9e-324},
               {"1e-400", 0},
               {"0.000000000000000000000000000001", 1e-30}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct text t = open_text(cases[i].text);
    double number = 77;
    assert_true(json_double(&t.r, &number));
    assert_true(number == cases[i].want);
    assert_true(json_end(&t.r));
    close_text(&t);
  }
  struct text t = open_text("-0");
  double number = 77;
  assert_true(json_double(&t.r, &number));
  assert_true(number == 0 && signbit(number));
  close_text(&t);
}

static void numbers_of_any_length(void **state) {
  (void)state;
  static char text[2000];
  memset(text, '0', sizeof text);
  text[1] = '.';
  text[sizeof text - 6] = '1';
  double number = 77;
  struct text t = open_bytes(text, sizeof text);
  assert_true(json_double(&t.r, &number) && json_end(&t.r));
  assert_true(number == 0);
  close_text(&t);
  memcpy(text + sizeof text - 5, "e1993", 5);
  t = open_bytes(text, sizeof text);
  assert_true(json_double(&t.r, &number) && json_end(&t.r));
  assert_true(number == 1);
  close_text(&t);
}

/* Words for numbers, and numbers too large, are errors, or infinite where that is asked for. */
static void non_finite_numbers(void **state) {
  (void)state;
  static const char text[] = "[NaN,Infinity,-Infinity,1e999,-1e999,-1]";
  struct text t = open_text(text);
  struct json_reader r = t.r;
  double numbers[6] = {0};
  size_t n = 0;
  assert_false(json_skip(&r));
  assert_error(&r, "a value is due", 1);
  r = t.r;
  r.non_finite = true;
  assert_true(json_skip(&r) && json_end(&r));
  r = t.r;
  r.non_finite = true;
  for (json_array_begin(&r); n < COUNT(numbers) && json_array_next(&r); n++) {
    assert_int_equal(json_peek(&r), JSON_NUMBER);
    assert_true(json_double(&r, &numbers[n]));
  }
  assert_true(!json_array_next(&r) && json_end(&r));
  assert_true(isnan(numbers[0]) && numbers[1] > DBL_MAX && numbers[2] < -DBL_MAX);
  assert_true(numbers[3] > DBL_MAX && numbers[4] < -DBL_MAX && numbers[5] == -1);
  close_text(&t);
}

/* Numbers are read in one go up to what is none, and the array goes on there. */
static void numbers_in_a_row(void **state) {
  (void)state;
  struct text t = open_text("[ 1 , 2.5,-3e2 ,\"x\", 4,[5], 6]");
  struct json_reader r = t.r;
  double numbers[8] = {0};
  assert_int_equal(json_doubles(&r, numbers, 8), 0); /* no array is open */
  assert_true(json_array_begin(&r));
  assert_int_equal(json_doubles(&r, numbers, 2), 2);
  assert_int_equal(json_doubles(&r, numbers + 2, 6), 1);
  assert_true(numbers[0] == 1 && numbers[1] == 2.5 && numbers[2] == -300);
  assert_int_equal(json_doubles(&r, numbers, 8), 0);
  assert_true(json_array_next(&r) && json_peek(&r) == JSON_STRING);
  assert_int_equal(json_doubles(&r, numbers, 8), 0); /* a value is due */
  assert_true(json_skip(&r));
  assert_int_equal(json_doubles(&r, numbers, 8), 1);
  assert_true(numbers[0] == 4);
  assert_true(json_array_next(&r) && json_array_begin(&r));
  assert_int_equal(json_doubles(&r, numbers, 8), 1);
  assert_true(numbers[0] == 5 && !json_array_next(&r));
  assert_true(json_array_next(&r) && json_double(&r, numbers) && numbers[0] == 6);
  assert_int_equal(json_doubles(&r, numbers, 8), 0);
  assert_true(!json_array_next(&r) && json_end(&r));
  assert_int_equal(t.r.values_left - r.values_left, 9);
  close_text(&t);
}

/* What json_double would complain of is left to it. */
static void rows_leave_faults(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t n;
    const char *message;
  } rows[] = {
      {"[1,01]", 1, "a number that is not written as JSON writes them"},
      {"[1,-]", 1, "a number that is not written as JSON writes them"},
      {"[1,1e999]", 1, "a number too large for a double"},
      {"[1,NaN]", 1, "a number is due"},
      {"[1,2 3]", 2, "',' or ']' is due"},
      {"[1,2,]", 2, "a number is due"},
      {"[,1]", 0, "a number is due"},
      {"[1,2", 2, "the text ends inside an array"},
      {"[1,", 1, "the text ends where a value is due"},
      {"[", 0, "the text ends inside an array"},
      {"[1}", 1, "',' or ']' is due"},
      {"{\"a\":1}", 0, NULL},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct text t = open_text(rows[i].text);
    double numbers[4];
    char key[2];
    if (rows[i].message)
      assert_true(json_array_begin(&t.r));
    else
      assert_true(json_object_begin(&t.r));
    assert_int_equal(json_doubles(&t.r, numbers, 4), rows[i].n);
    assert_null(t.r.message);
    if (rows[i].message)
      assert_false(json_array_next(&t.r) && json_double(&t.r, numbers));
    else
      assert_true(json_object_next(&t.r, key, sizeof key));
    if (rows[i].message)
      assert_string_equal(t.r.message, rows[i].message);
    close_text(&t);
  }
  struct text t = open_text("[1,NaN,1e999,2,3]");
  double numbers[4];
  t.r.non_finite = true;
  t.r.values_left = 5;
  assert_true(json_array_begin(&t.r));
  assert_int_equal(json_doubles(&t.r, numbers, 4), 4);
  assert_true(numbers[0] == 1 && isnan(numbers[1]) && isinf(numbers[2]) && numbers[3] == 2);
  assert_int_equal(json_doubles(&t.r, numbers, 4), 0);
  assert_true(json_array_next(&t.r) && !json_double(&t.r, numbers) && t.r.too_many);
  assert_int_equal(json_doubles(&t.r, numbers, 4), 0); /* after an error */
  close_text(&t);
}

static void other_words_are_no_numbers(void **state) {
  (void)state;
  static const char *const words[] = {"nan",  "Nan",       "NaNs", "N",         "Infinit", "inf",
                                      "+NaN", "+Infinity", "-NaN", "-Infinite", "-I",      "-"};
  for (size_t i = 0; i < COUNT(words); i++) {
    struct text t = open_text(words[i]);
    double number = 77;
    t.r.non_finite = true;
    assert_false(json_double(&t.r, &number) && json_end(&t.r));
    assert_non_null(t.r.message);
    close_text(&t);
  }
  struct text t = open_text("NaN");
  size_t number = 77;
  t.r.non_finite = true;
  assert_false(json_size(&t.r, &number));
  assert_int_equal(number, 77);
  close_text(&t);
}

static void sizes(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t want;
  } good[] = {
      {"0", 0}, {"7", 7}, {"4294967296", 4294967296}, {"9007199254740991", 9007199254740991}};
  static const char *const bad[] = {"-0",
                                    "-1",
                                    "1.0",
                                    "1e2",
                                    "1E0",
                                    "0.5",
                                    "9007199254740992",
                                    "9007199254740993",
                                    "18446744073709551616",
                                    "18446744073709551617",
                                    "99999999999999999999999999999999999999999"};
  for (size_t i = 0; i < COUNT(good); i++) {
    struct text t = open_text(good[i].text);
    size_t number = 77;
    assert_true(json_size(&t.r, &number) && json_end(&t.r));
    assert_true(number == good[i].want);
    close_text(&t);
  }
  for (size_t i = 0; i < COUNT(bad); i++) {
    struct text t = open_text(bad[i]);
    size_t number = 77;
    assert_false(json_size(&t.r, &number));
    assert_error(&t.r, "an integer from 0 to 2^53 - 1 in plain digits is due", 0);
    assert_int_equal(number, 77);
    close_text(&t);
  }
  struct text t = open_text("01");
  size_t number = 77;
  assert_false(json_size(&t.r, &number));
  assert_error(&t.r, "a number that is not written as JSON writes them", 2);
  close_text(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(doubles_are_correctly_rounded),
      cmocka_unit_test(numbers_of_any_length),
      cmocka_unit_test(non_finite_numbers),
      cmocka_unit_test(numbers_in_a_row),
      cmocka_unit_test(rows_leave_faults),
      cmocka_unit_test(other_words_are_no_numbers),
      cmocka_unit_test(sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
