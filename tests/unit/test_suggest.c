#include "server/base/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const char *const heads[] = {"omat_pbe", "matpes_r2scan", "MP", "mp0", "omol"};

static void expect(const char *name, const char *meant) {
  const char *found = suggest(name, heads, 5);
  if (meant)
    assert_string_equal(found, meant);
  else
    assert_null(found);
}

static void test_finds_what_was_meant(void **state) {
  (void)state;
  expect("omat_pbe", "omat_pbe");
  expect("omatpbe", "omat_pbe");
  expect("omat-pbe", "omat_pbe");
  expect("OMAT_PBE", "omat_pbe");
  expect("matpes_r2scann", "matpes_r2scan");
  expect("atpes_r2scan", "matpes_r2scan");
  expect("mp", "MP");
  expect("omal", "omol");
  expect("ommol", "omol");
  expect("oomal", "omol");
}

static void test_names_nothing_that_is_far(void **state) {
  char longest[SUGGEST_MAX + 2];
  (void)state;
  expect("spice", NULL);
  expect("", NULL);
  expect("pbe", NULL);
  memset(longest, 'o', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  expect(longest, NULL);
  assert_null(suggest("MP", heads, 0));
}

/* The first of several that are as near. */
static void test_takes_the_first(void **state) {
  static const char *const names[] = {"abcd", "abce"};
  (void)state;
  assert_ptr_equal(suggest("abcf", names, 2), names[0]);
  assert_ptr_equal(suggest("abce", names, 2), names[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_finds_what_was_meant),
      cmocka_unit_test(test_names_nothing_that_is_far),
      cmocka_unit_test(test_takes_the_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
