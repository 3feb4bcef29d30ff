#include "core/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static size_t sequence(const char *bytes) {
  return utf8_sequence(bytes, bytes + strlen(bytes));
}

static void test_sequences(void **state) {
  (void)state;
  assert_int_equal(sequence("a"), 1);
  assert_int_equal(sequence("\x7f"), 1);
  assert_int_equal(sequence("\xc2\x80"), 2);
  assert_int_equal(sequence("\xe0\xa0\x80"), 3);
  assert_int_equal(sequence("\xed\x9f\xbf"), 3);
  assert_int_equal(sequence("\xf0\x90\x80\x80"), 4);
  assert_int_equal(sequence("\xf4\x8f\xbf\xbf more"), 4);
}

static void test_what_is_none(void **state) {
  (void)state;
  const char *const bad[] = {
      "\x80",             /* a continuation alone */
      "\xc1\xbf",         /* longer than need be */
      "\xe0\x9f\xbf",     /* likewise */
      "\xf0\x8f\xbf\xbf", /* likewise */
      "\xed\xa0\x80",     /* a surrogate */
      "\xf4\x90\x80\x80", /* beyond U+10FFFF */
      "\xf5\x80\x80\x80", /* likewise */
      "\xc2",             /* cut off */
      "\xe2\x82",         /* likewise */
      "\xe2\x28\xa1",     /* not continued */
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(sequence(bad[i]), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sequences),
      cmocka_unit_test(test_what_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
