#include "core/base/json.h"
#include "core/base/json_writer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void expect(struct text *text, const char *wanted) {
  char *got = text_take(text, NULL);
  assert_string_equal(got, wanted);
  free(got);
}

static void test_the_example(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_put_string(&w, "name", "mace");
  json_open_array(&w, "elements");
  json_put_string(&w, NULL, "H");
  json_put_string(&w, NULL, "O");
  json_close_array(&w);
  json_put_numbers(&w, "energies", (double[]){-1.5, 2e-5}, 2);
  json_close_object(&w);
  expect(&text, "{\"name\":\"mace\",\"elements\":[\"H\",\"O\"],\"energies\":[-1.5,2e-05]}");
}

/* Commas stand between values, wherever containers open and close. */
static void test_commas(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_array(&w, NULL);
  json_open_array(&w, NULL);
  json_close_array(&w);
  json_open_object(&w, NULL);
  json_close_object(&w);
  json_put_null(&w, NULL);
  json_open_object(&w, NULL);
  json_put_bool(&w, "a", true);
  json_open_object(&w, "b");
  json_put_bool(&w, "", false);
  json_close_object(&w);
  json_put_size(&w, "c", 7);
  json_close_object(&w);
  json_put_raw(&w, NULL, "[1]", 3);
  json_put_raw(&w, NULL, "2", 1);
  json_close_array(&w);
  expect(&text, "[[],{},null,{\"a\":true,\"b\":{\"\":false},\"c\":7},[1],2]");
}

static void test_behind_another(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_behind(&text);
  json_open_array(&w, NULL);
  json_put_size(&w, NULL, 1);
  json_close_array(&w);
  json_put_size(&w, NULL, 2);
  expect(&text, ",[1],2");
}

static void test_scalars(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_array(&w, NULL);
  json_put_size(&w, NULL, SIZE_MAX);
  json_put_integer(&w, NULL, INT64_MIN);
  json_put_integer(&w, NULL, -1);
  json_put_integer(&w, NULL, INT64_MAX);
  json_put_double(&w, NULL, 0.1);
  json_put_double(&w, NULL, -0.0);
  json_put_double(&w, NULL, (double)NAN);
  json_put_double(&w, NULL, (double)-INFINITY);
  json_put_string(&w, NULL, NULL);
  json_close_array(&w);
  expect(&text, "[18446744073709551615,-9223372036854775808,-1,9223372036854775807,0.1,-0,null,"
                "null,null]");
}

static void expect_quoted(const char *string, size_t n, const char *wanted) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_put_bytes(&w, NULL, string, n);
  expect(&text, wanted);
}

static void test_strings(void **state) {
  (void)state;
  static const struct {
    const char *string, *wanted;
  } rows[] = {
      {"", "\"\""},
      {"plain", "\"plain\""},
      {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
      {"\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\""},
      {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
      {"a\xff"
       "b\xc3",
       "\"a\xef\xbf\xbd"
       "b\xef\xbf\xbd\""},
      {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_quoted(rows[i].string, strlen(rows[i].string), rows[i].wanted);
  expect_quoted("a\0b", 3, "\"a\\u0000b\"");
  expect_quoted("\xc3\xa9", 1, "\"\xef\xbf\xbd\"");
}

/* Keys are strings as others are. */
static void test_keys(void **state) {
  (void)state;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_put_null(&w, "a\"\n\xc3\xa9");
  json_close_object(&w);
  expect(&text, "{\"a\\\"\\n\xc3\xa9\":null}");
}

/* All strings of one byte, and of two, are read back, what is not UTF-8 as U+FFFD. */
static void test_strings_survive(void **state) {
  (void)state;
  struct text text = {0};
  for (unsigned i = 1; i < 1U << 16; i++) {
    const char string[] = {(char)(i & 255), (char)(i >> 8), '\0'};
    char back[8];
    text.size = 0;
    struct json_writer w = json_writer_over(&text);
    json_put_string(&w, NULL, string);
    struct json_reader r = json_reader_over(text.bytes, text.size);
    assert_true(json_string(&r, back, sizeof back, NULL) && json_end(&r));
    if ((string[0] & 0x80) == 0 && (string[1] & 0x80) == 0)
      assert_string_equal(back, string);
  }
  text_fini(&text);
}

static void test_tensors(void **state) {
  (void)state;
  const double values[] = {1, 2, 3, 4, 5, 6, 7, 8};
  static const struct {
    size_t shape[3], n_dims;
    const char *wanted;
  } rows[] = {
      {{0}, 0, "{\"a\":1}"},
      {{3}, 1, "{\"a\":[1,2,3]}"},
      {{0}, 1, "{\"a\":[]}"},
      {{2, 3}, 2, "{\"a\":[[1,2,3],[4,5,6]]}"},
      {{2, 0}, 2, "{\"a\":[[],[]]}"},
      {{0, 3}, 2, "{\"a\":[]}"},
      {{2, 2, 2}, 3, "{\"a\":[[[1,2],[3,4]],[[5,6],[7,8]]]}"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct text text = {0};
    struct json_writer w = json_writer_over(&text);
    json_open_object(&w, NULL);
    json_put_tensor(&w, "a", values, rows[i].shape, rows[i].n_dims);
    json_close_object(&w);
    expect(&text, rows[i].wanted);
  }
}

/* Many numbers, of every length, read back in a row to the same bits. */
static void test_numbers_survive(void **state) {
  (void)state;
  enum { N = 20000 };
  static double numbers[N], back[N];
  struct text text = {0};
  uint64_t seed = 7;
  for (size_t i = 0; i < N; i++) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const uint64_t bits = seed ^ seed >> 29;
    memcpy(&numbers[i], &bits, sizeof bits);
    if (!isfinite(numbers[i]) || i % 5 == 0)
      numbers[i] = (double)(int64_t)bits / (1 << i % 20);
  }
  struct json_writer w = json_writer_over(&text);
  json_put_numbers(&w, NULL, numbers, N);
  struct json_reader r = json_reader_over(text.bytes, text.size);
  assert_true(json_array_begin(&r));
  assert_int_equal(json_doubles(&r, back, N), N);
  assert_true(!json_array_next(&r) && json_end(&r));
  assert_memory_equal(back, numbers, sizeof numbers);
  text_fini(&text);
}

/* A text that has failed stays as it was. */
static void test_no_room(void **state) {
  (void)state;
  char bytes[64];
  for (size_t n = 0; n < 40; n++) {
    struct text text = text_over(bytes, n);
    struct json_writer w = json_writer_over(&text);
    memset(bytes, 'x', sizeof bytes);
    json_open_object(&w, NULL);
    json_put_string(&w, "key", "value");
    json_put_double(&w, "d", 0.25);
    json_put_bool(&w, "b", true);
    json_close_object(&w);
    static const char whole[] = "{\"key\":\"value\",\"d\":0.25,\"b\":true}";
    assert_int_equal(text.failed, n < strlen(whole));
    assert_true(text.size <= n && memcmp(bytes, whole, text.size) == 0);
    assert_int_equal(bytes[n], 'x');
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_example),     cmocka_unit_test(test_commas),
      cmocka_unit_test(test_behind_another),  cmocka_unit_test(test_scalars),
      cmocka_unit_test(test_strings),         cmocka_unit_test(test_keys),
      cmocka_unit_test(test_strings_survive), cmocka_unit_test(test_tensors),
      cmocka_unit_test(test_numbers_survive), cmocka_unit_test(test_no_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
