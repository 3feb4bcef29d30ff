#include "server/drivers/message_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const unsigned char letters[] = "abcdefgh";

#define WHOLE 3

/* Messages of two parts, of three and four bytes. */
struct parser {
  struct message_reader reader;
  char parts[2][5];
};

static int advance(void *context) {
  struct parser *parser = context;
  if (parser->parts[0][0] == '!')
    return message_reader_fault(&parser->reader, "no");
  const bool ends = parser->reader.phase == 8;
  message_reader_expect(&parser->reader, ends ? 7 : 8, parser->parts[!ends], ends ? 3 : 4);
  return ends ? WHOLE : MESSAGE_READER_MORE;
}

/* The first message ends before the last byte, whatever portions they come in. */
static void test_portions(void **state) {
  (void)state;
  for (size_t portion = 1; portion <= 8; portion++) {
    struct parser parser = {0};
    size_t sum = 0, used = 0;
    int message = MESSAGE_READER_MORE;
    assert_false(message_reader_begun(&parser.reader));
    message_reader_expect(&parser.reader, 7, parser.parts[0], 3);
    assert_true(message_reader_begun(&parser.reader));
    assert_int_equal(parser.reader.phase, 7);
    while (message == MESSAGE_READER_MORE) {
      const size_t n = portion < 8 - sum ? portion : 8 - sum;
      message = message_reader_feed(&parser.reader, letters + sum, n, &used, advance, &parser);
      assert_true(used == n || message == WHOLE);
      sum += used;
    }
    assert_int_equal(message, WHOLE);
    assert_int_equal(sum, 7);
    assert_string_equal(parser.parts[0], "abc");
    assert_string_equal(parser.parts[1], "defg");
  }
}

static void test_nothing_after_a_fault(void **state) {
  (void)state;
  static const unsigned char marks[] = "!!!";
  struct parser parser = {0};
  size_t used = 0;
  message_reader_expect(&parser.reader, 7, parser.parts[0], 3);
  assert_int_equal(message_reader_feed(&parser.reader, marks, 3, &used, advance, &parser),
                   MESSAGE_READER_BAD);
  assert_int_equal(used, 3);
  assert_int_equal(message_reader_feed(&parser.reader, marks, 3, &used, advance, &parser),
                   MESSAGE_READER_BAD);
  assert_int_equal(used, 0);
}

static void test_fault(void **state) {
  (void)state;
  struct message_reader reader = {0};
  assert_int_equal(message_reader_fault(&reader, "%d of %s", 3, "these"), MESSAGE_READER_BAD);
  assert_string_equal(reader.fault, "3 of these");
  assert_int_equal(reader.phase, MESSAGE_READER_DEAD);
  char words[1000];
  memset(words, 'x', sizeof words - 1);
  words[sizeof words - 1] = '\0';
  message_reader_fault(&reader, "%s", words);
  assert_int_equal(strlen(reader.fault), sizeof reader.fault - 1);
}

static void test_resize(void **state) {
  (void)state;
  size_t size = 0;
  char *array = message_reader_resize(NULL, &size, 10);
  assert_non_null(array);
  assert_int_equal(size, 10);
  assert_ptr_equal(message_reader_resize(array, &size, 10), array);
  array = message_reader_resize(array, &size, 1000);
  assert_int_equal(size, 1000);
  memset(array, 1, size);
  array = message_reader_resize(array, &size, PTRDIFF_MAX);
  assert_null(array);
  assert_int_equal(size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_portions),
      cmocka_unit_test(test_nothing_after_a_fault),
      cmocka_unit_test(test_fault),
      cmocka_unit_test(test_resize),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
