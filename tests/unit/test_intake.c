#include "server/sockets/intake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const unsigned char letters[] = "abcdefgh";

/* Two parts, of three and four bytes, from portions of every size. */
static void test_portions(void **state) {
  (void)state;
  for (size_t portion = 1; portion <= 8; portion++) {
    struct intake intake = {0};
    char parts[2][5] = {"", ""};
    size_t n_parts = 0, used = 0;
    assert_false(intake_begun(&intake));
    intake_expect(&intake, 7, parts[0], 3);
    assert_true(intake_begun(&intake));
    assert_int_equal(intake.phase, 7);
    while (n_parts < 2) {
      const size_t end = used + portion < 8 ? used + portion : 8;
      while (used < end && n_parts < 2)
        if (intake_take(&intake, letters, end, &used) && ++n_parts == 1)
          intake_expect(&intake, 8, parts[1], 4);
    }
    assert_int_equal(used, 7);
    assert_string_equal(parts[0], "abc");
    assert_string_equal(parts[1], "defg");
  }
}

static void test_fault(void **state) {
  (void)state;
  struct intake intake = {0};
  assert_int_equal(intake_fault(&intake, "%d of %s", 3, "these"), INTAKE_BAD);
  assert_string_equal(intake.fault, "3 of these");
  assert_int_equal(intake.phase, INTAKE_DEAD);
  char words[1000];
  memset(words, 'x', sizeof words - 1);
  words[sizeof words - 1] = '\0';
  intake_fault(&intake, "%s", words);
  assert_int_equal(strlen(intake.fault), sizeof intake.fault - 1);
}

static void test_resize(void **state) {
  (void)state;
  size_t size = 0;
  char *array = intake_resize(NULL, &size, 10);
  assert_non_null(array);
  assert_int_equal(size, 10);
  assert_ptr_equal(intake_resize(array, &size, 10), array);
  array = intake_resize(array, &size, 1000);
  assert_int_equal(size, 1000);
  memset(array, 1, size);
  array = intake_resize(array, &size, PTRDIFF_MAX);
  assert_null(array);
  assert_int_equal(size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_portions),
      cmocka_unit_test(test_fault),
      cmocka_unit_test(test_resize),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
