#include "server/codec/json_scan.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_accepted(void **state) {
  (void)state;
  static const char *const texts[] = {
      "0",
      "-0",
      " 1.5e-3 ",
      "1E+2",
      "true",
      "false",
      "null",
      "\"\"",
      "[]",
      "{}",
      "\t\r\n[ ] ",
      "[1,2,[3,{\"a\":{},\"b\":[]}],\"x\"]",
      "{\"a\":1,\"a\":2}",
      "{\"\":[{}]}",
      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
      "\"\xc3\xa9\xf0\x9f\x98\x80\x7f\"",
      "[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]",
      "123456789012345678901234567890123456789012345678901234567890123"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct json_scan scan;
    if (!json_scan(texts[i], strlen(texts[i]), SIZE_MAX, &scan))
      fail_msg("%s: %s at %zu", texts[i], scan.message, scan.position);
    assert_null(scan.message);
    assert_int_equal(scan.n_masked, 0);
  }
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t position;
  } rows[] = {
      {"", 0},
      {"  ", 2},
      {"[1,2", 4},
      {"[1,]", 3},
      {"[,1]", 1},
      {"[1 2]", 3},
      {"[1}", 2},
      {"{\"a\":1]", 6},
      {"{\"a\" 1}", 5},
      {"{\"a\":}", 5},
      {"{\"a\":1,}", 7},
      {"{a:1}", 1},
      {"{1:1}", 1},
      {"{", 1},
      {"[", 1},
      {"]", 0},
      {"[]]", 2},
      {"{} x", 3},
      {"1 2", 2},
      {"01", 0},
      {"-", 0},
      {"+1", 0},
      {".5", 0},
      {"1.", 0},
      {"1.e3", 0},
      {"1e", 0},
      {"1e+", 0},
      {"0x10", 1},
      {"--1", 0},
      {"tru", 0},
      {"True", 0},
      {"nan", 0},
      {"-NaN", 0},
      {"nulll", 4},
      {"'a'", 0},
      {"\"abc", 0},
      {"\"a\nb\"", 2},
      {"\"a\\x\"", 2},
      {"\"\\u12g4\"", 1},
      {"\"\\u12", 1},
      {"\"\\", 1},
      {"\"\\u0000\"", 1},
      {"\"\\ud800\"", 1},
      {"\"\\ud800\\u0041\"", 1},
      {"\"\\udc00\"", 1},
      {"\"\xff\"", 1},
      {"\"\xc3\"", 1},
      {"\"\xc0\x80\"", 1},
      {"\"\xed\xa0\x80\"", 1},
      {"\"\xf4\x90\x80\x80\"", 1},
      {"\xef\xbb\xbf{}", 0},
      {"/* c */ 1", 0},
      {"[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]", 16},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    /* Without a NUL behind it, so that a sanitizer sees reads past the end. */
    size_t size = strlen(rows[i].text);
    char *text = malloc(size + (size == 0));
    assert_non_null(text);
    memcpy(text, rows[i].text, size);
    struct json_scan scan;
    bool good = json_scan(text, size, SIZE_MAX, &scan);
    free(text);
    if (good || !scan.message || scan.position != rows[i].position)
      fail_msg("%s: good %d, position %zu", rows[i].text, good, scan.position);
  }
}

static void test_nul_bytes(void **state) {
  (void)state;
  struct json_scan scan;
  assert_false(json_scan("{}\0", 3, SIZE_MAX, &scan));
  assert_int_equal(scan.position, 2);
  assert_false(json_scan("\"a\0b\"", 5, SIZE_MAX, &scan));
  assert_int_equal(scan.position, 2);
  assert_false(json_scan(NULL, 0, SIZE_MAX, &scan));
}

static void test_value_count(void **state) {
  (void)state;
  struct json_scan scan;
  const char text[] = "[1,{\"a\":[2,3]}]"; /* six values: keys are none */
  assert_true(json_scan(text, strlen(text), 6, &scan));
  assert_false(json_scan(text, strlen(text), 5, &scan));
  assert_int_equal(scan.position, 11);
  assert_false(json_scan("1", 1, 0, &scan));
}

static void test_non_finite_words(void **state) {
  (void)state;
  struct json_scan scan;
  char text[] = "[NaN,-Infinity, Infinity,\"NaN \\\" NaN\",null,-1]";
  assert_true(json_scan(text, strlen(text), SIZE_MAX, &scan));
  assert_int_equal(scan.n_masked, 3);
  json_scan_mask(text, strlen(text));
  assert_string_equal(text, "[9e9,9e9      , 9e9     ,\"NaN \\\" NaN\",null,-1]");
  assert_true(json_scan(text, strlen(text), SIZE_MAX, &scan));
  assert_int_equal(scan.n_masked, 0);
}

/* Numbers longer than cJSON reads keep their value. */
static void test_long_numbers(void **state) {
  (void)state;
  char text[2048], zeros[401];
  memset(zeros, '0', sizeof zeros - 1);
  zeros[sizeof zeros - 1] = '\0';
  snprintf(text, sizeof text, "[-0.%s1,1.5%s,\"1%s\",1%s,1.25e2]", zeros, zeros, zeros, zeros);
  struct json_scan scan;
  assert_true(json_scan(text, strlen(text), SIZE_MAX, &scan));
  assert_int_equal(scan.n_masked, 3);
  json_scan_mask(text, strlen(text));
  assert_true(json_scan(text, strlen(text), SIZE_MAX, &scan));
  assert_int_equal(scan.n_masked, 0);
  cJSON *root = cJSON_Parse(text);
  assert_int_equal(cJSON_GetArraySize(root), 5);
  const double expected[] = {-0.0, 1.5, 0, 9e9, 125};
  for (int i = 0; i < 5; i++)
    if (i != 2)
      assert_true(cJSON_GetArrayItem(root, i)->valuedouble == expected[i]);
  assert_int_equal(strlen(cJSON_GetArrayItem(root, 2)->valuestring), 401);
  cJSON_Delete(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accepted),         cmocka_unit_test(test_refused),
      cmocka_unit_test(test_nul_bytes),        cmocka_unit_test(test_value_count),
      cmocka_unit_test(test_non_finite_words), cmocka_unit_test(test_long_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
