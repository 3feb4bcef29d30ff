#include "tests/unit/support_json.h"

/* Walking */

static void walks_the_example(void **state) {
  (void)state;
  struct text t = open_text(" {\"shape\" : [2, 3,4], \"r_max\":5.5, \"more\":{\"r_max\":[1]},"
                            "\"on\":true,\"off\":false,\"none\":null,\"name\":\"Si\"} ");
  size_t shape[3] = {0}, n = 0, members = 0, length = 0;
  double r_max = 0;
  bool on = false, off = true;
  char key[8], name[3] = "";
  assert_int_equal(json_peek(&t.r), JSON_OBJECT);
  json_object_begin(&t.r);
  while (json_object_next(&t.r, key, sizeof key)) {
    members++;
    if (strcmp(key, "shape") == 0) {
      for (json_array_begin(&t.r); n < 3 && json_array_next(&t.r); n++)
        json_size(&t.r, &shape[n]);
      assert_false(json_array_next(&t.r));
    } else if (strcmp(key, "r_max") == 0) {
      json_double(&t.r, &r_max);
    } else if (strcmp(key, "on") == 0) {
      json_bool(&t.r, &on);
    } else if (strcmp(key, "off") == 0) {
      json_bool(&t.r, &off);
    } else if (strcmp(key, "none") == 0) {
      json_null(&t.r);
    } else if (strcmp(key, "name") == 0) {
      json_string(&t.r, name, sizeof name, &length);
    } else {
      assert_string_equal(key, "more");
      json_skip(&t.r);
    }
  }
  assert_string_equal(key, "");
  assert_true(json_end(&t.r));
  assert_int_equal(members, 7);
  assert_true(shape[0] == 2 && shape[1] == 3 && shape[2] == 4);
  assert_true(r_max == 5.5 && on && !off);
  assert_string_equal(name, "Si");
  assert_int_equal(length, 2);
  close_text(&t);
}

static void peek_tells_types(void **state) {
  (void)state;
  static const enum json_type want[] = {JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER,
                                        JSON_NUMBER, JSON_BOOL,  JSON_BOOL,   JSON_NULL};
  struct text t = open_text("[ {}, [], \"\", 7 ,-7, true, false, null ] ");
  size_t n = 0;
  assert_int_equal(json_peek(&t.r), JSON_ARRAY);
  json_array_begin(&t.r);
  assert_int_equal(json_peek(&t.r), JSON_NONE);
  while (json_array_next(&t.r)) {
    assert_int_equal(json_peek(&t.r), want[n++]);
    assert_true(json_skip(&t.r));
    assert_int_equal(json_peek(&t.r), JSON_NONE);
  }
  assert_int_equal(n, COUNT(want));
  assert_true(json_end(&t.r));
  close_text(&t);
}

static void a_copy_is_a_bookmark(void **state) {
  (void)state;
  struct text t = open_text("[{\"a\":1},{\"b\":[2]}]");
  char key[2];
  size_t number;
  json_array_begin(&t.r);
  assert_true(json_array_next(&t.r));
  struct json_reader mark = t.r;
  assert_true(json_skip(&t.r));
  assert_true(json_array_next(&t.r) && json_skip(&t.r) && !json_array_next(&t.r));
  assert_true(json_end(&t.r));
  assert_true(json_object_begin(&mark) && json_object_next(&mark, key, sizeof key));
  assert_string_equal(key, "a");
  assert_true(json_size(&mark, &number) && number == 1);
  close_text(&t);
}

static void raw_values(void **state) {
  (void)state;
  struct text t = open_text("{\"a\": [1, {\"b\":2}] ,\"c\":\t-1.5e3}");
  const char *value = NULL;
  size_t size = 0;
  char key[2];
  assert_true(json_object_begin(&t.r) && json_object_next(&t.r, key, sizeof key));
  assert_true(json_raw(&t.r, &value, &size));
  assert_int_equal(size, strlen("[1, {\"b\":2}]"));
  assert_memory_equal(value, "[1, {\"b\":2}]", size);
  assert_true(json_object_next(&t.r, key, sizeof key) && json_raw(&t.r, &value, &size));
  assert_int_equal(size, 6);
  assert_memory_equal(value, "-1.5e3", size);
  assert_false(json_raw(&t.r, &value, &size));
  assert_error(&t.r, "a value was asked for where none is due", (size_t)(value + 6 - t.bytes));
  assert_int_equal(size, 6);
  close_text(&t);
}

/* Misuse and wrong types */

static void wrong_types_are_named(void **state) {
  (void)state;
  char string[8] = "old";
  double number = 3;
  size_t size = 4, length = 5;
  bool truth = true;
  struct text t = open_text(" [1]");
  struct json_reader r = t.r;
  assert_false(json_object_begin(&r));
  assert_error(&r, "an object is due", 1);
  r = t.r;
  assert_false(json_string(&r, string, sizeof string, &length));
  assert_error(&r, "a string is due", 1);
  assert_string_equal(string, "");
  r = t.r;
  assert_false(json_double(&r, &number));
  assert_error(&r, "a number is due", 1);
  r = t.r;
  assert_false(json_size(&r, &size));
  assert_error(&r, "an integer from 0 to 2^53 - 1 in plain digits is due", 1);
  r = t.r;
  assert_false(json_bool(&r, &truth));
  assert_error(&r, "true or false is due", 1);
  r = t.r;
  assert_false(json_null(&r));
  assert_error(&r, "null is due", 1);
  assert_true(number == 3 && size == 4 && length == 5 && truth);
  close_text(&t);
  t = open_text("{}");
  assert_false(json_array_begin(&t.r));
  assert_error(&t.r, "an array is due", 0);
  close_text(&t);
}

static void calls_out_of_turn(void **state) {
  (void)state;
  char key[8];
  size_t number = 0;
  struct text t = open_text("[1,{\"a\":2}]");
  struct json_reader r = t.r;
  assert_false(json_array_next(&r));
  assert_error(&r, "a value was left unread", 0);

  r = t.r;
  assert_true(json_array_begin(&r));
  struct json_reader inside = r;
  assert_false(json_object_next(&r, key, sizeof key));
  assert_error(&r, "no object is open", 1);

  r = inside;
  assert_false(json_size(&r, &number));
  assert_error(&r, "a value was asked for where none is due", 1);

  r = inside;
  assert_false(json_skip(&r));
  assert_error(&r, "a value was asked for where none is due", 1);

  r = inside;
  assert_true(json_array_next(&r));
  assert_false(json_array_next(&r));
  assert_error(&r, "a value was left unread", 1);

  r = inside;
  assert_true(json_array_next(&r) && json_size(&r, &number));
  assert_false(json_size(&r, &number));
  assert_error(&r, "a value was asked for where none is due", 2);

  r = inside;
  assert_false(json_end(&r));
  assert_error(&r, "a container was left open", 1);

  r = inside;
  assert_true(json_array_next(&r) && json_skip(&r) && json_array_next(&r));
  assert_true(json_object_begin(&r));
  assert_false(json_array_next(&r));
  assert_error(&r, "no array is open", 4);

  r = t.r;
  assert_false(json_end(&r));
  assert_error(&r, "a value was left unread", 0);

  r = t.r;
  assert_true(json_skip(&r));
  assert_false(json_array_next(&r));
  assert_error(&r, "no array is open", 11);
  close_text(&t);
}

static void the_first_error_sticks(void **state) {
  (void)state;
  char string[8] = "old";
  double number = 3;
  size_t size = 4;
  bool truth = true;
  struct text t = open_text("[nulL, 1]");
  json_array_begin(&t.r);
  assert_true(json_array_next(&t.r));
  assert_false(json_null(&t.r));
  assert_false(json_array_next(&t.r));
  assert_false(json_array_begin(&t.r));
  assert_false(json_object_begin(&t.r));
  assert_false(json_object_next(&t.r, string, sizeof string));
  assert_false(json_string(&t.r, string, sizeof string, NULL));
  assert_false(json_double(&t.r, &number));
  assert_false(json_size(&t.r, &size));
  assert_false(json_bool(&t.r, &truth));
  assert_false(json_null(&t.r));
  assert_false(json_skip(&t.r));
  assert_false(json_end(&t.r));
  assert_false(json_fail(&t.r, "another"));
  assert_int_equal(json_peek(&t.r), JSON_NONE);
  assert_int_equal(json_string_bound(&t.r), 0);
  assert_error(&t.r, "a word other than true, false and null", 1);
  assert_true(number == 3 && size == 4 && truth);
  close_text(&t);
}

static void callers_complaint(void **state) {
  (void)state;
  struct text t = open_text("[1,2]");
  json_array_begin(&t.r);
  json_array_next(&t.r);
  json_skip(&t.r);
  assert_false(json_fail(&t.r, "too many"));
  assert_error(&t.r, "too many", 2);
  assert_false(json_array_next(&t.r));
  close_text(&t);
}

/* Strings */

static void strings_are_decoded(void **state) {
  (void)state;
  static const struct {
    const char *text, *want;
  } cases[] = {
      {"\"\"", ""},
      {"\"plain\"", "plain"},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
      {"\"\\u0001\\u007f\\u0080\\u07FF\\u0800\\uffff\"",
       "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
      {"\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
      {"\"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z\"", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"},
      {"\"\\\\u0041\"", "\\u0041"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct text t = open_text(cases[i].text);
    char string[64];
    size_t length = 99, bound = json_string_bound(&t.r);
    assert_true(json_string(&t.r, string, sizeof string, &length));
    assert_string_equal(string, cases[i].want);
    assert_int_equal(length, strlen(cases[i].want));
    assert_true(bound > length);
    assert_true(json_end(&t.r));
    close_text(&t);
  }
}

/* A string fits where its bytes and the NUL do, whether they come plain, escaped or as UTF-8. */
static void string_buffers_are_bounded(void **state) {
  (void)state;
  static const char *const texts[] = {"\"abc\"", "\"ab\\n\"", "\"a\xc3\xa9\"", "\"\\u20ac\"",
                                      "\"\\u0061b\\u0063\""};
  for (size_t i = 0; i < COUNT(texts); i++)
    for (size_t size = 0; size <= 5; size++) {
      struct text t = open_text(texts[i]);
      char *string = malloc(size ? size : 1);
      assert_non_null(string);
      string[0] = 'x';
      size_t length = 99;
      assert_int_equal(json_string(&t.r, string, size, &length), size >= 4);
      assert_int_equal(length, size >= 4 ? 3 : 99);
      assert_int_equal(string[0], size == 0 ? 'x' : size < 4 ? 0 : string[0]);
      if (size < 4)
        assert_string_equal(t.r.message, "a string is longer than what is accepted");
      free(string);
      close_text(&t);
    }
}

static void keys_are_decoded_and_bounded(void **state) {
  (void)state;
  for (size_t size = 0; size <= 5; size++) {
    struct text t = open_text("{\"\\u0061bc\" \t: 1}");
    char *key = malloc(size ? size : 1);
    assert_non_null(key);
    assert_true(json_object_begin(&t.r));
    assert_int_equal(json_object_next(&t.r, key, size), size >= 4);
    if (size >= 4)
      assert_string_equal(key, "abc");
    else
      assert_error(&t.r, "a string is longer than what is accepted", 1);
    free(key);
    close_text(&t);
  }
  char key[4] = "old";
  struct text t = open_text("{\"a\" 1}");
  assert_true(json_object_begin(&t.r));
  assert_false(json_object_next(&t.r, key, sizeof key));
  assert_string_equal(key, "");
  close_text(&t);
}

/* A key of size bytes or more is cut at size - 1, at a whole character or escape. */
static void keys_are_cut(void **state) {
  (void)state;
  static const struct {
    size_t size;
    const char *key;
  } rows[] = {{1, ""},
              {2, "a"},
              {3, "a"},
              {4, "a\xc3\xa9"},
              {5, "a\xc3\xa9"},
              {6, "a\xc3\xa9"},
              {7, "a\xc3\xa9\xe2\x82\xac"},
              {8, "a\xc3\xa9\xe2\x82\xac"
                  "b"},
              {9, "a\xc3\xa9\xe2\x82\xac"
                  "b"}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct text t = open_text("{\"a\xc3\xa9\\u20acb\":1}");
    char *key = malloc(rows[i].size);
    assert_non_null(key);
    assert_true(json_object_begin(&t.r) && json_object_next_cut(&t.r, key, rows[i].size));
    assert_string_equal(key, rows[i].key);
    assert_true(json_skip(&t.r) && !json_object_next_cut(&t.r, key, rows[i].size));
    assert_true(json_end(&t.r));
    free(key);
    close_text(&t);
  }
}

static void string_bound_is_enough(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t bound;
  } cases[] = {{"\"\"", 1},      {" \"abc\" ", 4}, {"\"a\\\"b\"", 5}, {"\"\\\\\"", 3}, {"\"abc", 0},
               {"\"abc\\\"", 0}, {"\"abc\\", 0},   {"12", 0},         {"[\"abc\"]", 0}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct text t = open_text(cases[i].text);
    assert_int_equal(json_string_bound(&t.r), cases[i].bound);
    assert_null(t.r.message);
    close_text(&t);
  }
}

/* Bounds */

/* Keys are no values; every container and scalar is. */
static void values_are_counted(void **state) {
  (void)state;
  struct text t = open_text("[1,{\"a\":[2,3]}]");
  struct json_reader r = t.r;
  r.values_left = 6;
  assert_true(json_skip(&r) && json_end(&r));
  assert_int_equal(r.values_left, 0);
  r = t.r;
  r.values_left = 5;
  assert_false(json_skip(&r));
  assert_error(&r, "more values than are accepted", 11);
  assert_true(r.too_many);
  r = t.r;
  r.values_left = 0;
  assert_false(json_array_begin(&r));
  assert_true(r.too_many);
  assert_false(t.r.too_many);
  close_text(&t);
}

/* Nesting is bounded wherever a container begins: by hand, in a skip, below another container. */
static void nesting_is_bounded(void **state) {
  (void)state;
  char text[4 * JSON_DEPTH_MAX], key[2];
  for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    const bool fits = depth <= JSON_DEPTH_MAX;
    struct text t = open_bytes(text, 2 * depth);
    struct json_reader r = t.r;
    assert_int_equal(json_skip(&r) && json_end(&r), fits);
    if (!fits)
      assert_error(&r, "containers are nested too deeply", JSON_DEPTH_MAX);
    r = t.r;
    size_t entered = 0;
    while (json_array_begin(&r)) {
      entered++;
      if (!json_array_next(&r))
        break;
    }
    assert_int_equal(entered, fits ? depth : JSON_DEPTH_MAX);
    if (!fits)
      assert_error(&r, "containers are nested too deeply", JSON_DEPTH_MAX);
    close_text(&t);
  }
  struct text t = open_text("{\"a\":[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]}");
  assert_true(json_object_begin(&t.r) && json_object_next(&t.r, key, sizeof key));
  assert_false(json_skip(&t.r));
  assert_error(&t.r, "containers are nested too deeply", 20);
  close_text(&t);
}

/* What was left is open to as many containers again. */
static void depth_is_given_back(void **state) {
  (void)state;
  struct text t = open_text("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]],[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]");
  assert_true(json_skip(&t.r) && json_end(&t.r));
  assert_int_equal(t.r.depth, 0);
  close_text(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(walks_the_example),
      cmocka_unit_test(peek_tells_types),
      cmocka_unit_test(a_copy_is_a_bookmark),
      cmocka_unit_test(raw_values),
      cmocka_unit_test(wrong_types_are_named),
      cmocka_unit_test(calls_out_of_turn),
      cmocka_unit_test(the_first_error_sticks),
      cmocka_unit_test(callers_complaint),
      cmocka_unit_test(strings_are_decoded),
      cmocka_unit_test(string_buffers_are_bounded),
      cmocka_unit_test(keys_are_decoded_and_bounded),
      cmocka_unit_test(keys_are_cut),
      cmocka_unit_test(string_bound_is_enough),
      cmocka_unit_test(values_are_counted),
      cmocka_unit_test(nesting_is_bounded),
      cmocka_unit_test(depth_is_given_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
