#include "server/codec/codec_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct request_head read(const char *text, struct codec_fault *fault) {
  struct request_head head = {0};
  struct json_reader json = codec_reader(text, strlen(text));
  *fault = (struct codec_fault){0};
  codec_head_read(&json, "#/head", &head, fault);
  return head;
}

static void test_reads(void **state) {
  static const char longest[] =
      "\"012345678901234567890123456789012345678901234567890123456789012\"";
  struct codec_fault fault;
  (void)state;
  struct request_head head = read("\"omat_pbe\"", &fault);
  assert_false(fault.is_set);
  assert_true(head.is_given);
  assert_string_equal(head.name, "omat_pbe");
  assert_string_equal(head.pointer, "#/head");
  head = read(longest, &fault);
  assert_false(fault.is_set);
  assert_int_equal(strlen(head.name), IRREP_MODEL_HEAD_NAME_MAX - 1);
}

static void test_refuses_what_is_no_name(void **state) {
  static const struct {
    const char *text;
    enum problem_kind kind;
  } bad[] = {{"3", PROBLEM_WRONG_TYPE},
             {"null", PROBLEM_WRONG_TYPE},
             {"[\"a\"]", PROBLEM_WRONG_TYPE},
             {"\"\"", PROBLEM_WRONG_VALUE},
             {"\"0123456789012345678901234567890123456789012345678901234567890123\"",
              PROBLEM_WRONG_VALUE}};
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct codec_fault fault;
    read(bad[i].text, &fault);
    assert_true(fault.is_set);
    assert_int_equal(fault.kind, bad[i].kind);
    assert_string_equal(fault.pointer, "#/head");
  }
}

static const char *const names[] = {"pbe", "r2scan", "off"};

static bool choose(const char *name, size_t n_heads, size_t default_head, size_t *index,
                   struct problem *problem) {
  const struct irrep_card card = {.heads = names, .n_heads = n_heads, .default_head = default_head};
  struct request_head head = {0};
  struct codec_fault fault = {0};
  *problem = (struct problem){0};
  if (name)
    codec_head_read_text(name, "#/parameters/head", &head, &fault);
  assert_false(fault.is_set);
  return codec_head_choose(&head, &card, "mh-1", index, problem);
}

static void test_chooses(void **state) {
  struct problem problem;
  size_t index = 9;
  (void)state;
  assert_true(choose("r2scan", 3, IRREP_HEAD_NONE, &index, &problem));
  assert_int_equal(index, 1);
  assert_true(choose(NULL, 3, 2, &index, &problem));
  assert_int_equal(index, 2);
  assert_true(choose(NULL, 0, 0, &index, &problem));
  assert_int_equal(index, 0);
}

static void expect(const struct problem *problem, const char *type, const char *pointer,
                   const char *detail) {
  assert_int_equal(problem->status, 422);
  assert_string_equal(problem->type, type);
  assert_string_equal(problem->pointer, pointer);
  assert_string_equal(problem->detail, detail);
}

static void test_lists_them(void **state) {
  struct problem problem;
  size_t index;
  (void)state;
  assert_false(choose(NULL, 3, IRREP_HEAD_NONE, &index, &problem));
  expect(&problem, "urn:irrepd:missing-head", "#/head",
         "mh-1 has several heads and no default: name one by \"head\": pbe, r2scan, off");
  assert_false(choose("R2-SCAN", 3, 0, &index, &problem));
  expect(&problem, "urn:irrepd:unknown-head", "#/parameters/head",
         "\"R2-SCAN\" is no head of mh-1; did you mean \"r2scan\"? Its heads: pbe, r2scan, off");
  assert_false(choose("spice", 3, 0, &index, &problem));
  expect(&problem, "urn:irrepd:unknown-head", "#/parameters/head",
         "\"spice\" is no head of mh-1. Its heads: pbe, r2scan, off");
  assert_false(choose("pbe", 0, 0, &index, &problem));
  expect(&problem, "urn:irrepd:unknown-head", "#/parameters/head",
         "\"pbe\" is no head of mh-1, which has none by name");
}

/* As many names as there is room for. */
static void test_long_lists(void **state) {
  static const char *const many[] = {
      "a-name-of-forty-bytes-or-so-and-no-less-1", "a-name-of-forty-bytes-or-so-and-no-less-2",
      "a-name-of-forty-bytes-or-so-and-no-less-3", "a-name-of-forty-bytes-or-so-and-no-less-4",
      "a-name-of-forty-bytes-or-so-and-no-less-5"};
  const struct irrep_card card = {.heads = many, .n_heads = 5, .default_head = IRREP_HEAD_NONE};
  struct request_head head = {0};
  struct problem problem = {0};
  size_t index;
  (void)state;
  assert_false(codec_head_choose(&head, &card, "m", &index, &problem));
  assert_non_null(strstr(problem.detail, "less-3"));
  assert_null(strstr(problem.detail, "less-4"));
  assert_string_equal(problem.detail + strlen(problem.detail) - 4, ", ..");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads),      cmocka_unit_test(test_refuses_what_is_no_name),
      cmocka_unit_test(test_chooses),    cmocka_unit_test(test_lists_them),
      cmocka_unit_test(test_long_lists),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
