#include "tests/unit/support_coded.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define SIZE 200000

static const enum http_coding codings[] = {CODING_GZIP, CODING_ZSTD};

static char text[SIZE];

/* Codes until what was asked for is done; adds to out. */
static size_t code(struct http_encoder *encoder, enum encoding what, const char *in, size_t size,
                   char *out, size_t room) {
  size_t at = 0;
  for (bool is_done = false; !is_done;) {
    size_t used, made;
    assert_true(http_encoder_step(encoder, what, in, size, &used, out + at, room, &made, &is_done));
    assert_true(made <= room && used <= size);
    in += used;
    size -= used;
    at += made;
  }
  assert_int_equal(size, 0);
  return at;
}

static void test_pieces(void **state) {
  (void)state;
  char *out = malloc(2 * SIZE);
  for (size_t k = 0; k < 2; k++)
    for (size_t room = 5; room < SIZE; room *= 11) {
      struct http_encoder *encoder = http_encoder_new(codings[k]);
      size_t size = 0;
      for (size_t at = 0, n; at < SIZE; at += n) {
        n = SIZE - at < 7777 ? SIZE - at : 7777;
        size += code(encoder, ENCODING_ON, text + at, n, out + size, room);
      }
      size += code(encoder, ENCODING_END, NULL, 0, out + size, room);
      http_encoder_free(encoder);
      assert_true(size < SIZE * 6 / 10);
      struct undone undone = undo(codings[k], out, size, 4096, 16384, SIZE + 1);
      assert_true(undone.is_whole && undone.size == SIZE);
      assert_memory_equal(undone.bytes, text, SIZE);
      free(undone.bytes);
    }
  free(out);
}

/* What was flushed can be decoded, whatever is to come. */
static void test_flushes(void **state) {
  (void)state;
  char *out = malloc(2 * SIZE);
  for (size_t k = 0; k < 2; k++) {
    struct http_encoder *encoder = http_encoder_new(codings[k]);
    size_t size = 0;
    for (size_t at = 0; at < 5000; at += 500) {
      size += code(encoder, ENCODING_FLUSH, text + at, 500, out + size, 64);
      struct undone undone = undo(codings[k], out, size, 4096, 16384, SIZE);
      assert_int_equal(undone.state, DECODING_ON);
      assert_int_equal(undone.size, at + 500);
      assert_memory_equal(undone.bytes, text, at + 500);
      assert_false(undone.is_whole);
      free(undone.bytes);
    }
    assert_int_equal(code(encoder, ENCODING_FLUSH, NULL, 0, out + size, 64), 0);
    http_encoder_free(encoder);
  }
  free(out);
}

static void test_memory(void **state) {
  (void)state;
  char *out = malloc(2 * SIZE);
  for (size_t k = 0; k < 2; k++) {
    const struct mallinfo2 before = mallinfo2();
    struct http_encoder *encoder = http_encoder_new(codings[k]);
    code(encoder, ENCODING_FLUSH, text, SIZE, out, 2 * SIZE);
    const struct mallinfo2 now = mallinfo2();
    assert_true(now.uordblks + now.hblkhd <=
                before.uordblks + before.hblkhd + http_encoder_bytes(codings[k]));
    http_encoder_free(encoder);
  }
  assert_int_equal(http_encoder_bytes(CODING_IDENTITY), 0);
  free(out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_flushes),
      cmocka_unit_test(test_memory),
  };
  fill_with_text(text, sizeof text);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
