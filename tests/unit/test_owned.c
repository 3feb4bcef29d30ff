#include "core/program/owned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void assert_zero(const void *memory, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    assert_int_equal(((const unsigned char *)memory)[i], 0);
}

static void test_takes_are_zeroed_and_kept(void **state) {
  (void)state;
  struct program program;
  unsigned char *taken[20];
  program_init(&program);
  for (size_t i = 0; i < 20; i++) {
    taken[i] = program_take(&program, i, 7);
    assert_non_null(taken[i]);
    assert_zero(taken[i], 7 * i);
    memset(taken[i], (int)i, 7 * i);
  }
  for (size_t i = 0; i < 20; i++)
    for (size_t k = 0; k < 7 * i; k++)
      assert_int_equal(taken[i][k], i);
  assert_false(program.no_memory);
  program_fini(&program);
}

/* What is kept counts; scratch goes by itself. */
static void test_lists(void **state) {
  (void)state;
  struct program program;
  program_init(&program);
  assert_non_null(program_take(&program, 10, 8));
  const size_t bytes = program.owned_bytes;
  assert_true(bytes >= 80);
  unsigned char *scratch = program_take_scratch(&program, 3, 8);
  assert_non_null(scratch);
  assert_zero(scratch, 24);
  assert_true(program.owned_bytes == bytes && program.scratch);
  owned_free_all(&program.scratch);
  assert_null(program.scratch);
  assert_non_null(program.owned);
  owned_free_all(&program.owned);
  owned_free_all(&program.owned);
  assert_null(program.owned);
  program_fini(&program);
}

static void test_overflow(void **state) {
  (void)state;
  static const size_t huge[] = {SIZE_MAX, SIZE_MAX / 8, SIZE_MAX / 8 + 1};
  for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
    struct program program;
    program_init(&program);
    assert_null(program_take(&program, huge[i], 8));
    assert_null(program_take_scratch(&program, 8, huge[i]));
    assert_true(program.no_memory && program.owned_bytes == 0);
    program_fini(&program);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_takes_are_zeroed_and_kept),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_overflow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
