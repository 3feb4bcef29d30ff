#include "server/base/pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void expect(const struct pieces *pieces, size_t n_items, const char *text) {
  char *joined = pieces_join(pieces);
  assert_int_equal(pieces->n_items, n_items);
  assert_int_equal(pieces->size, strlen(text));
  assert_string_equal(joined, text);
  free(joined);
}

static void test_nothing(void **state) {
  (void)state;
  struct pieces *pieces = pieces_new(0, 0);
  assert_non_null(pieces);
  pieces_add(pieces, "", 0);
  pieces_take(pieces, NULL);
  expect(pieces, 0, "");
  pieces_free(pieces);
  pieces_free(NULL);
}

/* What lies together is one piece, whatever it was added as; its memory goes with it. */
static void test_neighbours(void **state) {
  (void)state;
  struct pieces *pieces = pieces_new(6, 2);
  char *block = strdup("abcdef"), *other = strdup("xyz");
  assert_non_null(pieces);
  pieces_take(pieces, block);
  pieces_take(pieces, other);
  pieces_add(pieces, block, 2);
  pieces_add(pieces, block + 2, 0);
  pieces_add(pieces, block + 2, 1);
  expect(pieces, 1, "abc");
  pieces_add(pieces, block + 4, 1);
  pieces_add(pieces, other, 3);
  pieces_add(pieces, block + 5, 1);
  expect(pieces, 4, "abcexyzf");
  assert_ptr_equal(pieces->items[0].bytes, block);
  assert_ptr_equal(pieces->items[2].bytes, other);
  pieces_free(pieces);
}

static void test_more_than_there_is(void **state) {
  (void)state;
  assert_null(pieces_new((size_t)-1 / 8, 1));
  assert_null(pieces_new(1, (size_t)-1 / 4));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing),
      cmocka_unit_test(test_neighbours),
      cmocka_unit_test(test_more_than_there_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
