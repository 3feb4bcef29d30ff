/* What the JSON reader takes for JSON: whole texts, accepted, refused, truncated and edited. */
#include "tests/unit/support_json.h"

static const char *const accepted[] = {
    "0",
    "-0",
    "12",
    "-1.5e+10",
    "0.25",
    "1E9",
    "1e-9",
    "true",
    "false",
    "null",
    "\"\"",
    " \t\r\n[ ] \n",
    "{}",
    "{ }",
    "[1]",
    "[1,2,[3,[]],{}]",
    "{\"a\":1}",
    "{\"a\":{\"a\":[{}]}}",
    "{\"\":null , \"a\" : [ true , false ] }",
    "{\"a\":1,\"a\":2}",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\ude00\\uDBFF\\uDFFF\"",
    "\"\x7f \xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf\"",
    "\"\xee\x80\x80 \xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\"",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
};

/* An error of json_skip or json_end over a whole text. */
static const struct {
  const char *text, *message;
  size_t position;
} refused[] = {
    {"", "the text ends where a value is due", 0},
    {"  ", "the text ends where a value is due", 2},
    {"]", "a value is due", 0},
    {"+1", "a value is due", 0},
    {".5", "a value is due", 0},
    {"NaN", "a value is due", 0},
    {"Infinity", "a value is due", 0},
    {"'a'", "a value is due", 0},
    {"\v1", "a value is due", 0},
    {"/**/1", "a value is due", 0},
    {"\xef\xbb\xbf"
     "1",
     "a value is due", 0},
    {"1 2", "text after the end of the value", 2},
    {"{}}", "text after the end of the value", 2},
    {"null\v", "text after the end of the value", 4},
    {"0x10", "text after the end of the value", 1},
    {"00", "a number that is not written as JSON writes them", 2},
    {"-01", "a number that is not written as JSON writes them", 3},
    {"-", "a number that is not written as JSON writes them", 1},
    {"-a", "a number that is not written as JSON writes them", 1},
    {"-Infinity", "a number that is not written as JSON writes them", 1},
    {"1.", "a number that is not written as JSON writes them", 2},
    {"1.e5", "a number that is not written as JSON writes them", 2},
    {"1e", "a number that is not written as JSON writes them", 2},
    {"1e+", "a number that is not written as JSON writes them", 3},
    {"1e400", "a number too large for a double", 0},
    {"[-1e309]", "a number too large for a double", 1},
    {"t", "a word other than true, false and null", 0},
    {"tru", "a word other than true, false and null", 0},
    {"[True]", "a value is due", 1},
    {"faLse", "a word other than true, false and null", 0},
    {"nul", "a word other than true, false and null", 0},
    {"truefalse", "text after the end of the value", 4},
    {"[", "the text ends inside an array", 1},
    {"[1", "the text ends inside an array", 2},
    {"[1,", "the text ends where a value is due", 3},
    {"[1,]", "a value is due", 3},
    {"[,1]", "a value is due", 1},
    {"[1 2]", "',' or ']' is due", 3},
    {"[1}", "',' or ']' is due", 2},
    {"[1:2]", "',' or ']' is due", 2},
    {"[}", "a value is due", 1},
    {"{", "the text ends inside an object", 1},
    {"{]", "a key in double quotes is due", 1},
    {"{1:2}", "a key in double quotes is due", 1},
    {"{a:2}", "a key in double quotes is due", 1},
    {"{,}", "a key in double quotes is due", 1},
    {"{\"a\":1,}", "a key in double quotes is due", 7},
    {"{\"a\":1,", "a key in double quotes is due", 7},
    {"{\"a\":1", "the text ends inside an object", 6},
    {"{\"a\":1 \"b\":2}", "',' or '}' is due", 7},
    {"{\"a\":1]", "',' or '}' is due", 6},
    {"{\"a\"", "':' is due after a key", 4},
    {"{\"a\",1}", "':' is due after a key", 4},
    {"{\"a\":}", "a value is due", 5},
    {"{\"a\":", "the text ends where a value is due", 5},
    {"{\"a", "the text ends inside a string", 3},
    {"\"", "the text ends inside a string", 1},
    {"\"abc", "the text ends inside a string", 4},
    {"\"\\\"", "the text ends inside a string", 3},
    {"\"\\", "the text ends inside a string", 2},
    {"\"\n\"", "a control character in a string", 1},
    {"\"a\tb\"", "a control character in a string", 2},
    {"\"\\x41\"", "an unknown escape in a string", 2},
    {"\"\\U0041\"", "an unknown escape in a string", 2},
    {"\"\\'\"", "an unknown escape in a string", 2},
    {"\"\\u004\"", "four hexadecimal digits are due after \\u", 3},
    {"\"\\u00g1\"", "four hexadecimal digits are due after \\u", 3},
    {"\"\\u", "four hexadecimal digits are due after \\u", 3},
    {"\"\\u-041\"", "four hexadecimal digits are due after \\u", 3},
    {"\"\\u0000\"", "U+0000 is not accepted in a string", 3},
    {"\"\\udc00\"", "a surrogate without its other half", 3},
    {"\"\\ud800\"", "a surrogate without its other half", 3},
    {"\"\\ud800x\"", "a surrogate without its other half", 3},
    {"\"\\ud800\\n1234\"", "a surrogate without its other half", 3},
    {"\"\\ud800\\u0041\"", "a surrogate without its other half", 3},
    {"\"\\ud800\\ud800\"", "a surrogate without its other half", 3},
    {"\"\\ud800\\ue000\"", "a surrogate without its other half", 3},
    {"\"\\ud800\\udc0", "a surrogate without its other half", 3},
    {"\"\x80\"", "a string that is not UTF-8", 1},
    {"\"\xbf\"", "a string that is not UTF-8", 1},
    {"\"\xc0\x80\"", "a string that is not UTF-8", 1},
    {"\"\xc1\xbf\"", "a string that is not UTF-8", 1},
    {"\"\xc3\"", "a string that is not UTF-8", 1},
    {"\"\xc3(\"", "a string that is not UTF-8", 1},
    {"\"\xe0\x9f\xbf\"", "a string that is not UTF-8", 1},
    {"\"\xe2\x82\"", "a string that is not UTF-8", 1},
    {"\"\xe2\x28\xa1\"", "a string that is not UTF-8", 1},
    {"\"\xe2\x82\x28\"", "a string that is not UTF-8", 1},
    {"\"\xed\xa0\x80\"", "a string that is not UTF-8", 1},
    {"\"\xf0\x8f\xbf\xbf\"", "a string that is not UTF-8", 1},
    {"\"\xf0\x90\x80\"", "a string that is not UTF-8", 1},
    {"\"\xf0\x90\x28\xbc\"", "a string that is not UTF-8", 1},
    {"\"\xf4\x90\x80\x80\"", "a string that is not UTF-8", 1},
    {"\"\xf5\x80\x80\x80\"", "a string that is not UTF-8", 1},
    {"\"\xff\"", "a string that is not UTF-8", 1},
    {"\"\xe2\x82", "a string that is not UTF-8", 1},
    {"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "containers are nested too deeply", 16},
    {"[[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]]", "containers are nested too deeply", 16},
};

static void skip_accepts(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(accepted); i++) {
    struct text t = open_text(accepted[i]);
    assert_true(json_skip(&t.r));
    assert_true(json_end(&t.r));
    assert_null(t.r.message);
    close_text(&t);
  }
}

static void skip_refuses(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(refused); i++) {
    struct text t = open_text(refused[i].text);
    bool skipped = json_skip(&t.r);
    assert_false(skipped && json_end(&t.r));
    assert_error(&t.r, refused[i].message, refused[i].position);
    close_text(&t);
  }
}

static void zero_bytes_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
    const char *message;
  } cases[] = {{"\"a\0b\"", 5, "a control character in a string"},
               {"1\0", 2, "text after the end of the value"},
               {"\0", 1, "a value is due"},
               {"[\0]", 3, "a value is due"},
               {"[1\0]", 4, "',' or ']' is due"}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct text t = open_bytes(cases[i].bytes, cases[i].size);
    assert_false(json_skip(&t.r) && json_end(&t.r));
    assert_string_equal(t.r.message, cases[i].message);
    close_text(&t);
  }
}

/* Every beginning of a valid text is refused, and nothing is read beyond it. */
static void truncated_texts(void **state) {
  (void)state;
  static const char whole[] =
      "{\"__metadata__\":{\"irrepd\":\"\\ud83d\\ude00\xe2\x82\xac\\n\"},\"w\":{\"dtype\":\"F32\","
      "\"shape\":[2,3],\"data_offsets\":[0,24]},\"x\":[true,false,null,-1.5e-3]}";
  for (size_t size = 0; size < sizeof whole; size++) {
    struct text t = open_bytes(whole, size);
    bool ok = json_skip(&t.r) && json_end(&t.r);
    assert_int_equal(ok, size == sizeof whole - 1);
    assert_true(ok || t.r.position <= size);
    close_text(&t);
  }
}

/* Any one byte of a valid text changed to any other: no crash, and an error lies in the text. */
static void edited_texts(void **state) {
  (void)state;
  static const char whole[] = "{\"k\":[1.5e1,\"\\u00e9\xc3\xa9\",{\"x\":true}],\"y\":null}";
  char copy[sizeof whole], key[4];
  size_t refusals = 0;
  for (size_t i = 0; i < sizeof whole - 1; i++)
    for (int byte = 0; byte < 256; byte++) {
      memcpy(copy, whole, sizeof copy);
      copy[i] = (char)byte;
      struct text t = open_bytes(copy, sizeof whole - 1);
      for (json_object_begin(&t.r); json_object_next(&t.r, key, sizeof key);)
        json_skip(&t.r);
      if (!json_end(&t.r)) {
        refusals++;
        assert_non_null(t.r.message);
        assert_true(t.r.position <= sizeof whole - 1);
      }
      close_text(&t);
    }
  assert_in_range(refusals, 8000, 256 * (sizeof whole - 2));
}

static void null_text(void **state) {
  (void)state;
  struct json_reader r = json_reader_over(NULL, 0);
  assert_int_equal(json_peek(&r), JSON_NONE);
  assert_false(json_skip(&r));
  assert_error(&r, "the text ends where a value is due", 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(skip_accepts),           cmocka_unit_test(skip_refuses),
      cmocka_unit_test(zero_bytes_are_refused), cmocka_unit_test(truncated_texts),
      cmocka_unit_test(edited_texts),           cmocka_unit_test(null_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
