#include "server/codec/codec_tree.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_trees(void **state) {
  (void)state;
  struct problem problem = {0};
  const char text[] = "{\"a\":[1,NaN,true]}";
  cJSON *root = codec_tree(text, strlen(text), &problem);
  assert_non_null(root);
  const cJSON *array = cJSON_GetObjectItemCaseSensitive(root, "a");
  assert_true(cJSON_GetArrayItem(array, 1)->valuedouble == 9e9);
  cJSON_Delete(root);
  assert_int_equal(problem.status, 0);
  assert_string_equal(text, "{\"a\":[1,NaN,true]}");
}

/* The number ends with the text, behind which nothing may be read. */
static void test_a_long_number_at_the_end(void **state) {
  (void)state;
  struct problem problem = {0};
  char *text = malloc(100);
  assert_non_null(text);
  memset(text, '1', 100);
  cJSON *root = codec_tree(text, 100, &problem);
  free(text);
  assert_non_null(root);
  assert_true(root->valuedouble > 1.1e99 && root->valuedouble < 1.2e99);
  cJSON_Delete(root);
}

static void test_malformed(void **state) {
  (void)state;
  struct problem problem = {0};
  assert_null(codec_tree("[1,]", 4, &problem));
  assert_int_equal(problem.status, 400);
  assert_string_equal(problem.detail, "at byte 3: a value is due here");
  assert_null(codec_tree("", 0, &problem));
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
  assert_null(codec_tree(text, 2 * most + 3, &problem));
  assert_int_equal(problem.status, 413);
  free(text);
  text = zeros(most);
  cJSON *root = codec_tree(text, 2 * most + 1, &problem);
  assert_non_null(root);
  cJSON_Delete(root);
  free(text);
}

static void test_whole_numbers(void **state) {
  (void)state;
  static const char *const others[] = {"-1", "1.5", "9007199254740994", "\"1\"", "true", "null"};
  size_t number = 7;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    cJSON *json = cJSON_Parse(others[i]);
    assert_false(codec_whole_number(json, &number));
    cJSON_Delete(json);
  }
  assert_int_equal(number, 7);
  cJSON *json = cJSON_Parse("9007199254740992");
  assert_true(codec_whole_number(json, &number));
  assert_int_equal(number, UINT64_C(9007199254740992));
  cJSON_Delete(json);
}

static void test_choices(void **state) {
  (void)state;
  static const char *const names[] = {"one", "two"};
  cJSON *two = cJSON_CreateString("two"), *other = cJSON_CreateString("Two");
  cJSON *number = cJSON_CreateNumber(1);
  assert_int_equal(codec_choose(two, names, 2), 1);
  assert_int_equal(codec_choose(other, names, 2), 2);
  assert_int_equal(codec_choose(number, names, 2), 2);
  cJSON_Delete(two);
  cJSON_Delete(other);
  cJSON_Delete(number);
}

static void test_pointers(void **state) {
  (void)state;
  static const char *const others[] = {"", "a/b", "a b", "\xc3\xa9", "a~b"};
  char pointer[64];
  codec_key_pointer(pointer, sizeof pointer, "#/x", "a_b-1");
  assert_string_equal(pointer, "#/x/a_b-1");
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    codec_key_pointer(pointer, sizeof pointer, "#", others[i]);
    assert_string_equal(pointer, "#");
  }
}

static void test_bytes(void **state) {
  (void)state;
  assert_true(codec_tree_bytes(0) > 0);
  assert_true(codec_tree_bytes(1000) >= 500 * sizeof(cJSON));
  assert_true(codec_tree_bytes((size_t)4 << 20) == codec_tree_bytes((size_t)16 << 20));
  assert_true(codec_tree_bytes((size_t)64 << 20) >= ((size_t)8 << 20) * sizeof(cJSON));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_trees),         cmocka_unit_test(test_a_long_number_at_the_end),
      cmocka_unit_test(test_malformed),     cmocka_unit_test(test_too_many_values),
      cmocka_unit_test(test_whole_numbers), cmocka_unit_test(test_choices),
      cmocka_unit_test(test_bytes),         cmocka_unit_test(test_pointers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
