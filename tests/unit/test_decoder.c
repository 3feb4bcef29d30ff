#include "tests/unit/support_coded.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <zstd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define SIZE 200000

static const enum http_coding codings[] = {CODING_GZIP, CODING_ZSTD};

static char text[SIZE];

static void expect_text(const struct undone *undone, size_t times) {
  assert_int_equal(undone->state, DECODING_ON);
  assert_true(undone->is_whole);
  assert_int_equal(undone->size, times * SIZE);
  for (size_t i = 0; i < times; i++)
    assert_memory_equal(undone->bytes + i * SIZE, text, SIZE);
}

static void test_pieces(void **state) {
  (void)state;
  static const size_t pieces[] = {1, 7, 4096, 1 << 20}, rooms[] = {16384, 1000, 1 << 18, 3};
  for (size_t k = 0; k < 2; k++) {
    size_t size;
    char *bytes = coded(codings[k], text, SIZE, &size);
    for (size_t i = 0; i < 4; i++) {
      struct undone undone = undo(codings[k], bytes, size, pieces[i], rooms[i], SIZE + 1);
      expect_text(&undone, 1);
      assert_int_equal(undone.used, size);
      free(undone.bytes);
    }
    free(bytes);
  }
}

/* Behind a stream there may be another, and nothing else. */
static void test_several(void **state) {
  (void)state;
  static const char skipped[] = {0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'};
  for (size_t k = 0; k < 2; k++) {
    const bool skips = codings[k] == CODING_ZSTD;
    const size_t n_skipped = skips ? sizeof skipped : 0;
    size_t size;
    char *bytes = coded(codings[k], text, SIZE, &size), *all = calloc(1, 2 * size + 64);
    memcpy(all, skipped, n_skipped);
    memcpy(all + n_skipped, bytes, size);
    memcpy(all + n_skipped + size, bytes, size);
    const size_t whole = n_skipped + 2 * size;
    for (size_t piece = 1; piece < 40000; piece = 3 * piece + 1) {
      struct undone undone = undo(codings[k], all, whole, piece, 10000, 2 * SIZE + 1);
      expect_text(&undone, 2);
      free(undone.bytes);
      struct undone garbage = undo(codings[k], all, whole + 6, piece, 10000, 2 * SIZE + 1);
      assert_int_equal(garbage.state, DECODING_DAMAGED);
      assert_non_null(strstr(garbage.fault, "follow its end"));
      free(garbage.bytes);
    }
    free(all);
    free(bytes);
  }
}

/* An end is one behind a whole stream only, a beginning without any included. */
static void test_every_end(void **state) {
  (void)state;
  for (size_t k = 0; k < 2; k++) {
    size_t size;
    char *bytes = coded(codings[k], text, 400, &size);
    for (size_t n = 0; n <= size; n++) {
      struct undone undone = undo(codings[k], bytes, n, 100, 100, 1000);
      assert_int_equal(undone.state, DECODING_ON);
      assert_true(undone.is_whole == (n == size));
      free(undone.bytes);
    }
    free(bytes);
  }
}

/* A changed bit is found, by the format or by its checksum at the end, or says nothing of the
 * bytes, as the time in gzip's header. */
static void test_every_bit(void **state) {
  (void)state;
  for (size_t k = 0; k < 2; k++) {
    size_t size;
    char *bytes = coded(codings[k], text, 400, &size);
    for (size_t i = 0; i < 8 * size; i++) {
      bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
      struct undone undone = undo(codings[k], bytes, size, 100, 100, 1000);
      const bool is_same =
          undone.is_whole && undone.size == 400 && memcmp(undone.bytes, text, 400) == 0;
      assert_true(is_same || !undone.is_whole);
      free(undone.bytes);
      bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
    }
    free(bytes);
  }
}

static void test_other_formats(void **state) {
  (void)state;
  static const char *const none[] = {"{\"structures\":[]}", "PK\3\4....", "\x78\x9c...."};
  for (size_t k = 0; k < 2; k++) {
    for (size_t i = 0; i < 3; i++) {
      struct undone undone = undo(codings[k], none[i], strlen(none[i]), 1, 100, 1000);
      assert_int_equal(undone.state, DECODING_DAMAGED);
      assert_true(undone.fault[0] != '\0' && undone.size == 0);
      free(undone.bytes);
    }
    size_t size;
    char *bytes = coded(codings[1 - k], text, 100, &size);
    struct undone undone = undo(codings[k], bytes, size, 1, 100, 1000);
    assert_int_equal(undone.state, DECODING_DAMAGED);
    free(undone.bytes);
    free(bytes);
  }
}

/* A frame of zstd with a window of so many bytes, of text that is not announced. */
static char *frame(int window_log, size_t *size) {
  const size_t room = ZSTD_compressBound(SIZE);
  char *bytes = malloc(room);
  ZSTD_CCtx *zstd = ZSTD_createCCtx();
  assert_true(bytes && zstd);
  ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window_log);
  ZSTD_inBuffer in = {text, SIZE / 2, 0};
  ZSTD_outBuffer out = {bytes, room, 0};
  assert_false(ZSTD_isError(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_continue)));
  in.size = SIZE;
  assert_int_equal(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_end), 0);
  ZSTD_freeCCtx(zstd);
  *size = out.pos;
  return bytes;
}

/* What it says that it wants is what it takes at most; larger windows than HTTP's are refused. */
static void test_memory(void **state) {
  (void)state;
  char *out = malloc(SIZE);
  for (int log = 10; log <= 25; log++) {
    size_t size, at = 0, n = 0;
    char *bytes = frame(log, &size);
    const struct mallinfo2 before = mallinfo2();
    struct http_decoder *decoder = http_decoder_new(CODING_ZSTD);
    enum decoding found;
    while ((found = http_decoder_step(decoder, bytes + at, size - at < 100 ? size - at : 100, &n,
                                      out, SIZE, &(size_t){0})) != DECODING_DAMAGED) {
      at += n;
      if (found == DECODING_WANTS)
        http_decoder_grant(decoder, http_decoder_wants(decoder));
      else if (n == 0)
        break;
    }
    const struct mallinfo2 now = mallinfo2();
    assert_true(now.uordblks + now.hblkhd <=
                before.uordblks + before.hblkhd + http_decoder_wants(decoder) + 8192);
    assert_true(http_decoder_wants(decoder) <= DECODER_WINDOW_MAX + (1 << 20));
    assert_int_equal(found, log <= 23 ? DECODING_ON : DECODING_DAMAGED);
    assert_true(http_decoder_is_whole(decoder) == (log <= 23));
    http_decoder_free(decoder);
    free(bytes);
  }
  free(out);
}

/* A stream that becomes a thousand times as much is stopped where there is no more room. */
static void test_bombs(void **state) {
  (void)state;
  const size_t many = (size_t)8 << 20;
  char *zeros = calloc(1, many);
  assert_non_null(zeros);
  for (size_t k = 0; k < 2; k++) {
    size_t size;
    char *bytes = coded(codings[k], zeros, many, &size);
    assert_true(size < many / 200);
    struct undone undone = undo(codings[k], bytes, size, size, 1000, 100000);
    assert_true(undone.state == DECODING_ON && undone.size == 100000 && !undone.is_whole);
    free(undone.bytes);
    free(bytes);
  }
  free(zeros);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pieces),        cmocka_unit_test(test_several),
      cmocka_unit_test(test_every_end),     cmocka_unit_test(test_every_bit),
      cmocka_unit_test(test_other_formats), cmocka_unit_test(test_memory),
      cmocka_unit_test(test_bombs),
  };
  fill_with_text(text, sizeof text);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
