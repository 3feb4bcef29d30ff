#include "server/codec/codec_committee.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct request_committee committee;

static struct codec_fault read(const char *text) {
  struct codec_fault fault = {0};
  codec_committee_read_text(text, "#/c", &committee, &fault);
  return fault;
}

static void test_reads(void **state) {
  (void)state;
  assert_false(read("[\"b\",\"c-2.0_x\",\"b:r2 scan\"]").is_set);
  assert_int_equal(committee.n, 3);
  assert_string_equal(committee.members[0].model, "b");
  assert_false(committee.members[0].head.is_given);
  assert_string_equal(committee.members[1].model, "c-2.0_x");
  assert_string_equal(committee.members[2].model, "b");
  assert_true(committee.members[2].head.is_given);
  assert_string_equal(committee.members[2].head.name, "r2 scan");
  assert_string_equal(committee.pointer, "#/c");
}

static void test_refuses(void **state) {
  static const struct {
    const char *text, *pointer;
    enum problem_kind kind;
  } bad[] = {
      {"{}", "#/c", PROBLEM_WRONG_TYPE},
      {"null", "#/c", PROBLEM_WRONG_TYPE},
      {"\"b\"", "#/c", PROBLEM_WRONG_TYPE},
      {"[]", "#/c", PROBLEM_WRONG_SHAPE},
      {"[\"b\"", "#/c", PROBLEM_WRONG_VALUE},
      {"[\"b\"] 1", "#/c", PROBLEM_WRONG_VALUE},
      {"[1]", "#/c/0", PROBLEM_WRONG_TYPE},
      {"[\"b\",[\"c\"]]", "#/c/1", PROBLEM_WRONG_TYPE},
      {"[\"\"]", "#/c/0", PROBLEM_WRONG_VALUE},
      {"[\":h\"]", "#/c/0", PROBLEM_WRONG_VALUE},
      {"[\"b:\"]", "#/c/0", PROBLEM_WRONG_VALUE},
      {"[\"b\",\"c\",\"b\"]", "#/c/2", PROBLEM_WRONG_VALUE},
      {"[\"b:h\",\"b:h\"]", "#/c/1", PROBLEM_WRONG_VALUE},
      {"[\"0123456789012345678901234567890123456789012345678901234567890123x\"]", "#/c/0",
       PROBLEM_WRONG_VALUE},
      {"[\"b:0123456789012345678901234567890123456789012345678901234567890123\"]", "#/c/0",
       PROBLEM_WRONG_VALUE},
      {"[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]", "#/c", PROBLEM_WRONG_SHAPE},
  };
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const struct codec_fault fault = read(bad[i].text);
    if (!fault.is_set || fault.kind != bad[i].kind || strcmp(fault.pointer, bad[i].pointer) != 0)
      fail_msg("%s: %d %s %s", bad[i].text, fault.is_set, fault.pointer, fault.detail);
  }
}

static void test_takes_as_many_as_there_may_be(void **state) {
  (void)state;
  assert_false(read("[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"]").is_set);
  assert_int_equal(committee.n, COMMITTEE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_takes_as_many_as_there_may_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
