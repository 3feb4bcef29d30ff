#include "core/base/arena.h"
#include "irrep/conventions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static _Alignas(IRREP_ALIGNMENT) unsigned char memory[1024];

static void test_size_arithmetic_saturates(void **state) {
  (void)state;
  assert_int_equal(size_add(2, 3), 5);
  assert_true(size_add(SIZE_MAX - 1, 1) == SIZE_MAX);
  assert_true(size_add(SIZE_MAX, 1) == SIZE_MAX);
  assert_true(size_add(1, SIZE_MAX) == SIZE_MAX);
  assert_true(size_add(SIZE_MAX, SIZE_MAX) == SIZE_MAX);
  assert_true(size_add(SIZE_MAX, 0) == SIZE_MAX);
  assert_int_equal(size_mul(6, 7), 42);
  assert_int_equal(size_mul(0, SIZE_MAX), 0);
  assert_int_equal(size_mul(SIZE_MAX, 0), 0);
  assert_true(size_mul(SIZE_MAX, 1) == SIZE_MAX);
  assert_true(size_mul(SIZE_MAX, 2) == SIZE_MAX);
  assert_true(size_mul(SIZE_MAX / 2, 2) == SIZE_MAX - 1);
  assert_true(size_mul(SIZE_MAX / 2 + 1, 2) == SIZE_MAX);
  assert_true(size_mul((size_t)1 << 32, (size_t)1 << 32) == SIZE_MAX);
}

static void test_takes_are_aligned_and_disjoint(void **state) {
  (void)state;
  struct arena arena = arena_over(memory, sizeof memory);
  unsigned char *previous_end = memory;
  for (size_t count = 1; count <= 5; count++) {
    unsigned char *p = arena_take(&arena, count, 13);
    assert_non_null(p);
    assert_true((uintptr_t)p % IRREP_ALIGNMENT == 0);
    assert_true(p >= previous_end);
    memset(p, (int)count, count * 13);
    previous_end = p + count * 13;
  }
  assert_true(previous_end <= memory + arena.used && arena.used <= sizeof memory);
  assert_false(arena.failed);
}

static void test_counted_bytes_suffice_and_one_less_does_not(void **state) {
  (void)state;
  const size_t counts[] = {3, 0, 64, 1, 17};
  const size_t n = sizeof counts / sizeof counts[0];
  struct arena counting = arena_counting();
  for (size_t i = 0; i < n; i++) {
    assert_null(arena_take(&counting, counts[i], sizeof(float)));
  }
  assert_false(counting.failed);
  assert_true(counting.used > 0 && counting.used <= sizeof memory);

  struct arena exact = arena_over(memory, counting.used);
  struct arena short_of_one = arena_over(memory, counting.used - 1);
  for (size_t i = 0; i < n; i++) {
    assert_non_null(arena_take(&exact, counts[i], sizeof(float)));
    (void)arena_take(&short_of_one, counts[i], sizeof(float));
  }
  assert_false(exact.failed);
  assert_int_equal(exact.used, counting.used);
  assert_true(short_of_one.failed);
}

static void test_failure_sticks(void **state) {
  (void)state;
  struct arena arena = arena_over(memory, sizeof memory);
  assert_non_null(arena_take(&arena, 1, 1));
  size_t used = arena.used;
  assert_null(arena_take(&arena, 1, sizeof memory));
  assert_true(arena.failed);
  assert_int_equal(arena.used, used);
  assert_null(arena_take(&arena, 1, 1));
  assert_true(arena.failed);
}

static void test_overflow_fails(void **state) {
  (void)state;
  struct arena arena = arena_over(memory, sizeof memory);
  assert_null(arena_take(&arena, SIZE_MAX / 2, 4));
  assert_true(arena.failed);

  struct arena product = arena_counting();
  assert_null(arena_take(&product, SIZE_MAX / 2, 4));
  assert_true(product.failed);
  assert_true(product.used == SIZE_MAX);

  struct arena sum = arena_counting();
  assert_null(arena_take(&sum, SIZE_MAX / 2, 1));
  assert_false(sum.failed);
  assert_null(arena_take(&sum, SIZE_MAX / 2, 1));
  assert_null(arena_take(&sum, SIZE_MAX / 2, 1));
  assert_true(sum.failed);
  assert_true(sum.used == SIZE_MAX);
}

static void test_empty_and_unusable_memory(void **state) {
  (void)state;
  struct arena empty = arena_over(memory, 0);
  assert_non_null(arena_take(&empty, 0, 8));
  assert_null(arena_take(&empty, 1, 1));
  assert_true(empty.failed);

  struct arena missing = arena_over(NULL, 4096);
  assert_null(arena_take(&missing, 1, 1));
  assert_true(missing.failed);

  struct arena misaligned = arena_over(memory + 1, sizeof memory - 1);
  assert_null(arena_take(&misaligned, 1, 1));
  assert_true(misaligned.failed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_size_arithmetic_saturates),
      cmocka_unit_test(test_takes_are_aligned_and_disjoint),
      cmocka_unit_test(test_counted_bytes_suffice_and_one_less_does_not),
      cmocka_unit_test(test_failure_sticks),
      cmocka_unit_test(test_overflow_fails),
      cmocka_unit_test(test_empty_and_unusable_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
