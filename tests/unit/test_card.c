#include "core/program/card.h"
#include "tests/unit/support_arrays.h"

static const char text[] =
    "{\"size\":7,\"number\":-2.5e-1,\"string\":\"caf\\u00e9\",\"sizes\":[1,2,3],\"none\":[],"
    "\"object\":{\"inner\":{\"deep\":4}},\"objects\":[{\"a\":1},{},{\"a\":2}],\"null\":null,"
    "\"mixed\":[{},1],\"texts\":[\"x\"],\"true\":true,\"fraction\":2.5}";

static struct card_object card_of(const char *json) {
  struct card_object card;
  assert_int_equal(card_open(json, strlen(json), &card, NULL), IRREP_OK);
  return card;
}

/* That a call failed as it should, naming the place. */
static void assert_bad(enum irrep_status status, const struct irrep_error *error,
                       const char *field) {
  assert_int_equal(status, IRREP_BAD_MODEL_FILE);
  assert_int_equal(error->status, IRREP_BAD_MODEL_FILE);
  assert_string_equal(error->field, field);
  assert_true(strlen(error->detail) > 10);
}

static void test_open_wants_one_object(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",         " ",          "[]",   "5",           "\"{}\"",
      "null",     "{",          "{}}",  "{} x",        "{\"a\":}",
      "{'a':1}",  "{\"a\":1,}", "\xff", "{\"a\":nan}", "{\"a\":1e999}",
      "{\"a\" 1}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct card_object card;
    struct irrep_error error = {0};
    assert_bad(card_open(bad[i], strlen(bad[i]), &card, &error), &error, "");
    assert_int_equal(card_open(bad[i], strlen(bad[i]), &card, NULL), IRREP_BAD_MODEL_FILE);
  }
  card_of(" { } ");
}

static void test_refuses_every_truncation(void **state) {
  (void)state;
  for (size_t n = 0; n < strlen(text); n++) {
    char *cut = malloc(n + 1);
    struct card_object card;
    assert_non_null(cut);
    memcpy(cut, text, n);
    assert_int_equal(card_open(cut, n, &card, NULL), IRREP_BAD_MODEL_FILE);
    free(cut);
  }
}

static void test_reads_values(void **state) {
  (void)state;
  const struct card_object card = card_of(text);
  size_t size = 0;
  double number = 0;
  char string[6];
  assert_int_equal(card_size(&card, "size", 7, 7, &size, NULL), IRREP_OK);
  assert_int_equal(size, 7);
  assert_int_equal(card_number(&card, "number", -0.25, -0.25, &number, NULL), IRREP_OK);
  assert_true(number == -0.25);
  assert_int_equal(card_number(&card, "size", 0, 10, &number, NULL), IRREP_OK);
  assert_true(number == 7.0);
  assert_int_equal(card_string(&card, "string", string, sizeof string, NULL), IRREP_OK);
  assert_string_equal(string, "caf\xc3\xa9");
  assert_true(card_has(&card, "null"));
  assert_false(card_has(&card, "nul"));
  assert_false(card_has(&card, "inner"));
}

static void test_reads_arrays_and_objects(void **state) {
  (void)state;
  const struct card_object card = card_of(text);
  struct card_object object, inner, objects[3];
  size_t values[3], n = 99;
  assert_int_equal(card_sizes(&card, "sizes", 1, 3, 3, values, &n, NULL), IRREP_OK);
  assert_int_equal(n, 3);
  assert_int_equal(values[0] * 100 + values[1] * 10 + values[2], 123);
  assert_int_equal(card_sizes(&card, "none", 1, 3, 0, values, &n, NULL), IRREP_OK);
  assert_int_equal(n, 0);
  assert_int_equal(card_object(&card, "object", &object, NULL), IRREP_OK);
  assert_int_equal(card_object(&object, "inner", &inner, NULL), IRREP_OK);
  assert_int_equal(card_size(&inner, "deep", 0, 9, &n, NULL), IRREP_OK);
  assert_int_equal(n, 4);
  assert_int_equal(card_objects(&card, "objects", 3, objects, &n, NULL), IRREP_OK);
  assert_int_equal(n, 3);
  assert_int_equal(card_size(&objects[2], "a", 0, 9, &n, NULL), IRREP_OK);
  assert_int_equal(n, 2);
  assert_false(card_has(&objects[1], "a"));
}

static void test_size_errors(void **state) {
  (void)state;
  static const char *const not_sizes[] = {"missing", "string", "number", "huge",  "fraction",
                                          "null",    "true",   "sizes",  "object"};
  const struct card_object card = card_of(text);
  for (size_t i = 0; i < sizeof not_sizes / sizeof *not_sizes; i++) {
    struct irrep_error error = {0};
    size_t size;
    assert_bad(card_size(&card, not_sizes[i], 0, SIZE_MAX, &size, &error), &error, not_sizes[i]);
  }
  struct irrep_error error = {0};
  size_t size;
  assert_bad(card_size(&card, "size", 8, 9, &size, &error), &error, "size");
  assert_bad(card_size(&card, "size", 0, 6, &size, &error), &error, "size");
}

static void test_number_errors(void **state) {
  (void)state;
  static const char *const not_numbers[] = {"missing", "string", "null", "true", "sizes", "object"};
  const struct card_object card = card_of(text);
  double number;
  for (size_t i = 0; i < sizeof not_numbers / sizeof *not_numbers; i++) {
    struct irrep_error error = {0};
    assert_bad(card_number(&card, not_numbers[i], -INFINITY, INFINITY, &number, &error), &error,
               not_numbers[i]);
  }
  struct irrep_error error = {0};
  assert_bad(card_number(&card, "number", -0.2499, 1, &number, &error), &error, "number");
  assert_bad(card_number(&card, "number", -1, -0.2501, &number, &error), &error, "number");
}

static void test_string_errors(void **state) {
  (void)state;
  const struct card_object card = card_of(text);
  struct irrep_error error = {0};
  char string[5];
  assert_bad(card_string(&card, "size", string, sizeof string, &error), &error, "size");
  assert_bad(card_string(&card, "missing", string, sizeof string, &error), &error, "missing");
  /* Five bytes and the NUL do not fit. */
  assert_bad(card_string(&card, "string", string, sizeof string, &error), &error, "string");
}

static void test_array_errors(void **state) {
  (void)state;
  const struct card_object card = card_of(text);
  struct card_object objects[3];
  struct irrep_error error = {0};
  size_t values[3], n;
  assert_bad(card_sizes(&card, "missing", 0, 9, 3, values, &n, &error), &error, "missing");
  assert_bad(card_sizes(&card, "size", 0, 9, 3, values, &n, &error), &error, "size");
  assert_bad(card_sizes(&card, "sizes", 0, 9, 2, values, &n, &error), &error, "sizes");
  assert_bad(card_sizes(&card, "sizes", 0, 2, 3, values, &n, &error), &error, "sizes");
  assert_bad(card_sizes(&card, "sizes", 2, 9, 3, values, &n, &error), &error, "sizes");
  assert_bad(card_sizes(&card, "texts", 0, 9, 3, values, &n, &error), &error, "texts");
  assert_bad(card_objects(&card, "missing", 3, objects, &n, &error), &error, "missing");
  assert_bad(card_objects(&card, "object", 3, objects, &n, &error), &error, "object");
  assert_bad(card_objects(&card, "objects", 2, objects, &n, &error), &error, "objects");
  assert_bad(card_objects(&card, "mixed", 3, objects, &n, &error), &error, "mixed");
  assert_bad(card_object(&card, "sizes", objects, &error), &error, "sizes");
  assert_bad(card_object(&card, "missing", objects, &error), &error, "missing");
}

static void test_errors_name_the_path(void **state) {
  (void)state;
  const struct card_object card = card_of(text);
  struct card_object object, inner, objects[3];
  struct irrep_error error = {0};
  size_t n;
  card_object(&card, "object", &object, NULL);
  card_object(&object, "inner", &inner, NULL);
  assert_bad(card_size(&inner, "x", 0, 9, &n, &error), &error, "object/inner/x");
  static const char *const none[] = {NULL};
  assert_int_equal(card_only(&object, none, &error), IRREP_UNSUPPORTED_MODEL);
  assert_string_equal(error.field, "object/inner");
  assert_string_equal(card_place(&inner, "x").text, "object/inner/x");
  assert_string_equal(card_place(&card, "x").text, "x");
  card_objects(&card, "objects", 3, objects, &n, NULL);
  assert_bad(card_size(&objects[1], "a", 0, 9, &n, &error), &error, "objects/1/a");
}

/* Places deeper than the buffer are cut, not overrun. */
static void test_long_paths_are_cut(void **state) {
  (void)state;
  struct card_object object =
      card_of("{\"a-key-of-twenty-nine-letters1\":{\"a-key-of-twenty-nine-letters1\":"
              "{\"a-key-of-twenty-nine-letters1\":{}}}}");
  struct irrep_error error = {0};
  size_t n;
  for (int depth = 0; depth < 3; depth++) {
    struct card_object inner;
    assert_int_equal(card_object(&object, "a-key-of-twenty-nine-letters1", &inner, NULL), IRREP_OK);
    object = inner;
  }
  assert_int_equal(card_size(&object, "missing", 0, 9, &n, &error), IRREP_BAD_MODEL_FILE);
  assert_true(strlen(error.field) < sizeof error.field);
}

static void test_only_the_keys_that_are_known(void **state) {
  (void)state;
  static const char *const ab[] = {"a", "b", NULL};
  struct irrep_error error = {0};
  struct card_object card = card_of("{\"b\":1,\"a\":{\"c\":2}}");
  assert_int_equal(card_only(&card, ab, &error), IRREP_OK);
  card = card_of("{}");
  assert_int_equal(card_only(&card, ab, &error), IRREP_OK);
  card = card_of("{\"a\":1,\"c\":2}");
  assert_int_equal(card_only(&card, ab, &error), IRREP_UNSUPPORTED_MODEL);
  assert_string_equal(error.field, "c");
  card = card_of("{\"a\":1,\"b\":2,\"a\":3}");
  assert_bad(card_only(&card, ab, &error), &error, "a");
  /* A key that no buffer holds ends the walk with an error, not in silence. */
  card = card_of("{\"0123456789012345678901234567890123456789012345678901234567890123456789\":1}");
  assert_int_equal(card_only(&card, ab, &error), IRREP_BAD_MODEL_FILE);
}

static void test_choice(void **state) {
  (void)state;
  static const char *const names[] = {"silu", "tanh", NULL};
  const struct card_object card = card_of("{\"a\":\"tanh\",\"b\":\"relu\",\"c\":1,\"d\":\"\"}");
  struct irrep_error error = {0};
  size_t index = 9;
  assert_int_equal(card_choice(&card, "a", names, &index, &error), IRREP_OK);
  assert_int_equal(index, 1);
  assert_int_equal(card_choice(&card, "b", names, &index, &error), IRREP_UNSUPPORTED_MODEL);
  assert_string_equal(error.field, "b");
  assert_non_null(strstr(error.detail, "relu"));
  assert_non_null(strstr(error.detail, "silu, tanh"));
  assert_int_equal(card_choice(&card, "d", names, &index, &error), IRREP_UNSUPPORTED_MODEL);
  struct card_object e;
  const struct card_object outer = card_of("{\"e\":{\"b\":\"relu\"}}");
  assert_int_equal(card_object(&outer, "e", &e, NULL), IRREP_OK);
  assert_int_equal(card_choice(&e, "b", names, &index, &error), IRREP_UNSUPPORTED_MODEL);
  assert_string_equal(error.field, "e/b");
  assert_bad(card_choice(&card, "c", names, &index, &error), &error, "c");
  assert_bad(card_choice(&card, "missing", names, &index, &error), &error, "missing");
}

static void test_names(void **state) {
  (void)state;
  static const char *const bad[] = {"{\"a\":[]}",
                                    "{\"a\":[\"x\",\"\"]}",
                                    "{\"a\":[\"x\",\"x\"]}",
                                    "{\"a\":\"x\"}",
                                    "{\"a\":[\"x\",3]}",
                                    "{\"a\":[\"x\",\"y\\t\"]}",
                                    "{\"a\":[\"12345678\"]}",
                                    "{\"b\":[\"x\"]}",
                                    "{\"a\":[null]}",
                                    "{\"a\":[\"1\",\"2\",\"3\",\"4\"]}"};
  char texts[3][8];
  size_t n = 0;
  struct irrep_error error = {0};
  struct card_object card = card_of("{\"a\":[\"pbe\",\"r2 scan\",\"\u00e9\"]}");
  assert_int_equal(card_names(&card, "a", 3, sizeof texts[0], texts[0], &n, &error), IRREP_OK);
  assert_int_equal(n, 3);
  assert_string_equal(texts[0], "pbe");
  assert_string_equal(texts[1], "r2 scan");
  assert_string_equal(texts[2], "\u00e9");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    card = card_of(bad[i]);
    assert_bad(card_names(&card, "a", 3, sizeof texts[0], texts[0], &n, &error), &error, "a");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open_wants_one_object),
      cmocka_unit_test(test_refuses_every_truncation),
      cmocka_unit_test(test_reads_values),
      cmocka_unit_test(test_reads_arrays_and_objects),
      cmocka_unit_test(test_size_errors),
      cmocka_unit_test(test_number_errors),
      cmocka_unit_test(test_string_errors),
      cmocka_unit_test(test_array_errors),
      cmocka_unit_test(test_errors_name_the_path),
      cmocka_unit_test(test_long_paths_are_cut),
      cmocka_unit_test(test_only_the_keys_that_are_known),
      cmocka_unit_test(test_choice),
      cmocka_unit_test(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
