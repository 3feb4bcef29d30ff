#include "server/codec/codec_reader.h"

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

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct json_reader over(const char *text) {
  return codec_reader(text, strlen(text));
}

static void test_words_for_numbers(void **state) {
  (void)state;
  struct json_reader json = over("[NaN,-Infinity]");
  double numbers[2] = {0};
  assert_true(json_array_begin(&json));
  assert_int_equal(json_doubles(&json, numbers, 2), 2);
  assert_true(isnan(numbers[0]) && isinf(numbers[1]));
  assert_true(!json_array_next(&json) && json_end(&json));
}

static void test_malformed(void **state) {
  (void)state;
  struct problem problem = {0};
  struct json_reader json = over("[1,]");
  assert_false(json_skip(&json));
  assert_false(codec_malformed(&json, &problem));
  assert_int_equal(problem.status, 400);
  assert_string_equal(problem.type, "urn:irrepd:malformed-json");
  assert_string_equal(problem.detail, "at byte 3: a value is due");
}

static char *zeros(size_t n) {
  char *text = malloc(2 * n + 1);
  assert_non_null(text);
  for (size_t i = 0; i < n; i++)
    memcpy(text + 2 * i, ",0", 2);
  text[0] = '[';
  text[2 * n] = ']';
  return text;
}

/* The array is a value too. */
static void test_too_many_values(void **state) {
  (void)state;
  const size_t most = ((size_t)2 << 20) - 1;
  struct problem problem = {0};
  char *text = zeros(most + 1);
  struct json_reader json = codec_reader(text, 2 * most + 3);
  assert_false(json_skip(&json));
  codec_malformed(&json, &problem);
  assert_int_equal(problem.status, 413);
  free(text);
  text = zeros(most);
  json = codec_reader(text, 2 * most + 1);
  assert_true(json_skip(&json) && json_end(&json));
  free(text);
  json = codec_reader("", 0);
  assert_int_equal(json.values_left, (size_t)2 << 20);
  json = codec_reader(NULL, 0);
  assert_false(json_skip(&json));
}

static void test_long_texts_have_more_values(void **state) {
  (void)state;
  const size_t size = (size_t)24 << 20;
  char *text = malloc(size);
  assert_non_null(text);
  text[0] = '1';
  assert_int_equal(codec_reader(text, size).values_left, (size_t)3 << 20);
  free(text);
}

static void test_whole_numbers(void **state) {
  (void)state;
  static const char *const others[] = {
      "-1", "1.5",  "9007199254740994", "\"1\"", "true", "null", "[1]", "NaN", "1e99", "1e-1",
      "{}", "-0.5", "Infinity"};
  static const struct {
    const char *text;
    size_t number;
  } numbers[] = {{"0", 0},      {"-0", 0},      {"12", 12},
                 {"1e3", 1000}, {"2.50e1", 25}, {"9007199254740992", (size_t)1 << 53}};
  size_t number = 7;
  for (size_t i = 0; i < COUNT(others); i++) {
    struct json_reader json = over(others[i]);
    assert_false(codec_whole_number(&json, &number));
    assert_true(json_end(&json));
  }
  assert_int_equal(number, 7);
  for (size_t i = 0; i < COUNT(numbers); i++) {
    struct json_reader json = over(numbers[i].text);
    assert_true(codec_whole_number(&json, &number));
    assert_true(number == numbers[i].number);
    assert_true(json_end(&json));
  }
  struct json_reader json = over("01");
  assert_false(codec_whole_number(&json, &number) || json_end(&json));
}

static void test_choices(void **state) {
  (void)state;
  static const char *const names[] = {"one", "two"};
  static const struct {
    const char *text;
    size_t index;
  } rows[] = {{"\"two\"", 1}, {"\"o\\u006ee\"", 0}, {"\"Two\"", 2},
              {"\"\"", 2},    {"\"twofold\"", 2},   {"1", 2},
              {"null", 2},    {"[\"one\"]", 2}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct json_reader json = over(rows[i].text);
    assert_int_equal(codec_choose(&json, names, 2), rows[i].index);
    assert_true(json_end(&json));
  }
  struct json_reader json = over("\"one");
  assert_int_equal(codec_choose(&json, names, 2), 2);
  assert_false(json_end(&json));
}

/* What does not fit is a string still, but of no name. */
static void test_words(void **state) {
  (void)state;
  char text[CODEC_WORD_MAX + 3], word[CODEC_WORD_MAX];
  for (size_t n = CODEC_WORD_MAX - 2; n <= CODEC_WORD_MAX; n++) {
    memset(text, 'a', sizeof text);
    text[0] = text[n + 1] = '"';
    struct json_reader json = codec_reader(text, n + 2);
    assert_true(codec_word(&json, word));
    assert_int_equal(strlen(word), n < CODEC_WORD_MAX ? n : 0);
    assert_true(json_end(&json));
  }
  struct json_reader json = over("7");
  assert_false(codec_word(&json, word));
  assert_string_equal(word, "");
  assert_true(json_end(&json));
  memset(text, 'a', sizeof text);
  text[0] = text[CODEC_WORD_MAX + 2] = '"';
  text[5] = '\n';
  json = codec_reader(text, sizeof text);
  assert_false(codec_word(&json, word) || json_end(&json));
}

static void test_first_fault_stays(void **state) {
  (void)state;
  struct codec_fault fault = {0};
  struct problem problem = {0};
  codec_fault_set(&fault, PROBLEM_WRONG_VALUE, "100 % wrong", "#/a/%d", 7);
  codec_fault_set(&fault, PROBLEM_WRONG_TYPE, "another", "#/b");
  assert_true(fault.is_set);
  assert_false(codec_fault_tell(&fault, &problem));
  assert_string_equal(problem.type, "urn:irrepd:wrong-value");
  assert_string_equal(problem.pointer, "#/a/7");
  assert_string_equal(problem.detail, "100 % wrong");
}

static void test_members(void **state) {
  (void)state;
  static const char *const names[] = {"a", "b"};
  struct codec_fault fault = {0};
  uint32_t seen = 0;
  size_t numbers[2] = {0}, k;
  struct json_reader json = over("{\"b\":1,\"c\":{\"a\":[]},\"\\u0061\":2,\"b\":3}");
  json_object_begin(&json);
  while ((k = codec_next_member(&json, names, 2, &seen, "#/x", &fault)) < 2)
    assert_true(codec_whole_number(&json, &numbers[k]));
  assert_true(json_end(&json));
  assert_true(numbers[0] == 2 && numbers[1] == 1);
  assert_int_equal(seen, 3);
  assert_true(fault.is_set && fault.kind == PROBLEM_UNKNOWN_KEY);
  assert_string_equal(fault.pointer, "#/x/c");
  assert_string_equal(fault.detail, "the key \"c\" is not known here");
}

static void test_repeated_members(void **state) {
  (void)state;
  static const char *const names[] = {"a"};
  struct codec_fault fault = {0};
  uint32_t seen = 0;
  struct json_reader json = over("{\"a\":1,\"a\":2}");
  json_object_begin(&json);
  assert_int_equal(codec_next_member(&json, names, 1, &seen, "#", &fault), 0);
  json_skip(&json);
  assert_int_equal(codec_next_member(&json, names, 1, &seen, "#", &fault), 1);
  assert_true(json_end(&json));
  assert_true(fault.is_set && fault.kind == PROBLEM_DUPLICATE_KEY);
  assert_string_equal(fault.pointer, "#/a");
}

/* A pointer shows a key that needs no escape and is not long; a long key is shown in part. */
static void test_keys_shown(void **state) {
  (void)state;
  static const char *const names[] = {"a"};
  static const struct {
    const char *key, *pointer, *shown;
  } rows[] = {
      {"a_B-1", "#/a_B-1", "a_B-1"},
      {"", "#", ""},
      {"a/b", "#", "a/b"},
      {"a b", "#", "a b"},
      {"a~b", "#", "a~b"},
      {"\xc3\xa9", "#", "\xc3\xa9"},
      {"0123456789012345678901234567890123456789", "#/0123456789012345678901234567890123456789",
       "0123456789012345678901234567890123456789"},
      {"0123456789012345678901234567890123456789x", "#",
       "0123456789012345678901234567890123456789"},
      {"0123456789012345678901234567890123456789xyz", "#",
       "0123456789012345678901234567890123456789"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    char text[128], detail[128];
    struct codec_fault fault = {0};
    uint32_t seen = 0;
    snprintf(text, sizeof text, "{\"%s\":1}", rows[i].key);
    snprintf(detail, sizeof detail, "the key \"%s\" is not known here", rows[i].shown);
    struct json_reader json = over(text);
    json_object_begin(&json);
    assert_int_equal(codec_next_member(&json, names, 1, &seen, "#", &fault), 1);
    assert_string_equal(fault.pointer, rows[i].pointer);
    assert_string_equal(fault.detail, detail);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_for_numbers),
      cmocka_unit_test(test_malformed),
      cmocka_unit_test(test_too_many_values),
      cmocka_unit_test(test_long_texts_have_more_values),
      cmocka_unit_test(test_whole_numbers),
      cmocka_unit_test(test_choices),
      cmocka_unit_test(test_words),
      cmocka_unit_test(test_first_fault_stays),
      cmocka_unit_test(test_members),
      cmocka_unit_test(test_repeated_members),
      cmocka_unit_test(test_keys_shown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
