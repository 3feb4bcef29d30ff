#include "server/codec/codec_dispersion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct request_dispersion read_good(const char *text) {
  struct request_dispersion d;
  struct codec_fault fault = {0};
  codec_dispersion_read_text(text, "#/d", &d, &fault);
  if (fault.is_set)
    fail_msg("%s: %s", fault.pointer, fault.detail);
  assert_true(d.is_wanted);
  return d;
}

static void test_defaults(void **state) {
  (void)state;
  const struct irrep_dispersion_options init = IRREP_DISPERSION_OPTIONS_INIT;
  const struct request_dispersion d = read_good("{}");
  assert_true(d.options.damping == init.damping && d.options.cutoff == init.cutoff &&
              d.options.cn_cutoff == init.cn_cutoff && d.options.width == 0 &&
              !d.options.three_body && d.options.three_body_cutoff == init.three_body_cutoff);
  assert_memory_equal(&d.options.parameters, &init.parameters, sizeof init.parameters);
}

static void test_values(void **state) {
  (void)state;
  struct request_dispersion d =
      read_good("{\"method\":\"d3zero\",\"functional\":\"B3-LYP\",\"cutoff\":12,\"cn_cutoff\":9.5,"
                "\"width\":1,\"three_body\":true,\"three_body_cutoff\":8}");
  assert_int_equal(d.options.damping, IRREP_D3ZERO);
  assert_true(d.options.parameters.s8 == 1.703 && d.options.parameters.a == 1.261);
  assert_true(d.options.cutoff == 12 && d.options.cn_cutoff == 9.5 && d.options.width == 1);
  assert_true(d.options.three_body && d.options.three_body_cutoff == 8);
  d = read_good("{\"s8\":0.5,\"a1\":-0.01,\"a2\":5}");
  assert_true(d.options.parameters.s6 == 1 && d.options.parameters.s8 == 0.5 &&
              d.options.parameters.a == -0.01 && d.options.parameters.b == 5);
  d = read_good("{\"rs6\":1.2,\"s6\":0.9,\"s8\":0.7,\"method\":\"d3zero\"}");
  assert_true(d.options.parameters.s6 == 0.9 && d.options.parameters.a == 1.2 &&
              d.options.parameters.b == 1);
}

static void test_faults(void **state) {
  (void)state;
  static const struct {
    const char *text, *pointer;
    enum problem_kind kind;
  } bad[] = {
      {"5", "#/d", PROBLEM_WRONG_TYPE},
      {"{", "#/d", PROBLEM_WRONG_VALUE},
      {"{} 1", "#/d", PROBLEM_WRONG_VALUE},
      {"{\"method\":\"d4\"}", "#/d/method", PROBLEM_WRONG_VALUE},
      {"{\"method\":3}", "#/d/method", PROBLEM_WRONG_TYPE},
      {"{\"functional\":\"nothing\"}", "#/d/functional", PROBLEM_WRONG_VALUE},
      {"{\"functional\":\"\"}", "#/d/functional", PROBLEM_WRONG_VALUE},
      {"{\"functional\":7}", "#/d/functional", PROBLEM_WRONG_TYPE},
      {"{\"functional\":\"r2scan\",\"method\":\"d3zero\"}", "#/d/functional", PROBLEM_WRONG_VALUE},
      {"{\"cutoff\":-1}", "#/d/cutoff", PROBLEM_WRONG_VALUE},
      {"{\"cutoff\":NaN}", "#/d/cutoff", PROBLEM_WRONG_VALUE},
      {"{\"cutoff\":1e9}", "#/d/cutoff", PROBLEM_WRONG_VALUE},
      {"{\"cutoff\":\"far\"}", "#/d/cutoff", PROBLEM_WRONG_TYPE},
      {"{\"cn_cutoff\":0}", "#/d/cn_cutoff", PROBLEM_WRONG_VALUE},
      {"{\"width\":-1}", "#/d/width", PROBLEM_WRONG_VALUE},
      {"{\"width\":30}", "#/d/width", PROBLEM_WRONG_VALUE},
      {"{\"three_body\":1}", "#/d/three_body", PROBLEM_WRONG_TYPE},
      {"{\"three_body\":true,\"three_body_cutoff\":-2}", "#/d/three_body_cutoff",
       PROBLEM_WRONG_VALUE},
      {"{\"s6\":1}", "#/d/s8", PROBLEM_MISSING_KEY},
      {"{\"s8\":1,\"a1\":0.4}", "#/d/a2", PROBLEM_MISSING_KEY},
      {"{\"s8\":1,\"a1\":0.4,\"a2\":4,\"rs6\":1}", "#/d/rs6", PROBLEM_WRONG_VALUE},
      {"{\"s8\":1,\"a1\":0.4,\"a2\":4,\"functional\":\"pbe\"}", "#/d/functional",
       PROBLEM_WRONG_VALUE},
      {"{\"s8\":1,\"a1\":0.4,\"a2\":-4}", "#/d/a2", PROBLEM_WRONG_VALUE},
      {"{\"alpha\":14}", "#/d/alpha", PROBLEM_UNKNOWN_KEY},
      {"{\"cutoff\":9,\"cutoff\":9}", "#/d/cutoff", PROBLEM_DUPLICATE_KEY},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct request_dispersion d;
    struct codec_fault fault = {0};
    codec_dispersion_read_text(bad[i].text, "#/d", &d, &fault);
    if (!fault.is_set || strcmp(fault.pointer, bad[i].pointer) != 0 || fault.kind != bad[i].kind)
      fail_msg("%s: %s (%s)", bad[i].text, fault.pointer, fault.detail);
  }
}

static void test_within_a_body(void **state) {
  (void)state;
  static const char text[] = "{\"dispersion\":{\"functional\":\"scan\"},\"x\":1}";
  struct json_reader json = codec_reader(text, strlen(text));
  struct codec_fault fault = {0};
  struct request_dispersion d = {0};
  char key[16];
  json_object_begin(&json);
  assert_true(json_object_next(&json, key, sizeof key));
  codec_dispersion_read(&json, "#/dispersion", &d, &fault);
  assert_false(fault.is_set);
  assert_true(d.options.parameters.b == 5.42);
  assert_true(json_object_next(&json, key, sizeof key) && strcmp(key, "x") == 0);
}

static void test_cards(void **state) {
  (void)state;
  static const char with[] =
      "{\"a\":[1],\"dispersion\":{\"method\":\"d3zero\",\"functional\":\"pbe0\"},\"b\":2}";
  struct irrep_dispersion_options options = IRREP_DISPERSION_OPTIONS_INIT;
  codec_dispersion_of_card("{\"a\":1}", 7, &options);
  assert_true(options.damping == IRREP_D3BJ && options.parameters.b == 4.4407);
  options.cutoff = 9;
  codec_dispersion_of_card(with, sizeof with - 1, &options);
  assert_true(options.damping == IRREP_D3ZERO && options.parameters.a == 1.287 &&
              options.cutoff == 9);
  assert_false(read_good("{\"cutoff\":9,\"three_body\":true}").names_parameters);
  assert_true(read_good("{\"method\":\"d3bj\"}").names_parameters);
  assert_true(read_good("{\"functional\":\"pbe\"}").names_parameters);
  assert_true(read_good("{\"s8\":1,\"a1\":0.4,\"a2\":4}").names_parameters);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
      cmocka_unit_test(test_faults),   cmocka_unit_test(test_within_a_body),
      cmocka_unit_test(test_cards),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
