#include "server/http/encoder.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* Answers are numbers, which higher levels hardly make smaller and take several times as long for.
 */
#define GZIP_LEVEL Z_BEST_SPEED
#define ZSTD_LEVEL 1

#define GZIP_AND_WINDOW (15 + 16) /* windowBits: the largest window, behind a header of gzip */
#define GZIP_MEMORY 8             /* memLevel: zlib's default */

/* What zlib says it holds at most with these (zconf.h), and what libzstd holds: windows, blocks and
 * tables. */
#define GZIP_BYTES ((size_t)(256 + 12) << 10)
#define ZSTD_WINDOW_LOG 17
#define ZSTD_BYTES ((size_t)1 << 20)

struct http_encoder {
  enum http_coding coding;
  z_stream gzip;
  ZSTD_CCtx *zstd;
};

static bool begin_zstd(struct http_encoder *e) {
  e->zstd = ZSTD_createCCtx();
  return e->zstd &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_windowLog, ZSTD_WINDOW_LOG)) &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_checksumFlag, 1));
}

static bool begin_gzip(struct http_encoder *e) {
  return deflateInit2(&e->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_AND_WINDOW, GZIP_MEMORY,
                      Z_DEFAULT_STRATEGY) == Z_OK;
}

struct http_encoder *http_encoder_new(enum http_coding coding) {
  struct http_encoder *e = calloc(1, sizeof *e);
  if (!e)
    return NULL;
  e->coding = coding;
  if (coding == CODING_GZIP ? begin_gzip(e) : begin_zstd(e))
    return e;
  http_encoder_free(e);
  return NULL;
}

void http_encoder_free(struct http_encoder *e) {
  if (!e)
    return;
  if (e->coding == CODING_GZIP)
    deflateEnd(&e->gzip);
  ZSTD_freeCCtx(e->zstd);
  free(e);
}

size_t http_encoder_bytes(enum http_coding coding) {
  return coding == CODING_GZIP ? GZIP_BYTES : coding == CODING_ZSTD ? ZSTD_BYTES : 0;
}

static unsigned as_unsigned(size_t size) {
  return size < UINT32_MAX ? (unsigned)size : UINT32_MAX;
}

static bool step_gzip(struct http_encoder *e, enum encoding what, const char *in, size_t size,
                      size_t *used, char *out, size_t room, size_t *made, bool *is_done) {
  static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
  z_stream *z = &e->gzip;
  const unsigned n_in = as_unsigned(size), n_out = as_unsigned(room);
  z->next_in = (z_const Bytef *)(uintptr_t)in;
  z->avail_in = n_in;
  z->next_out = (Bytef *)out;
  z->avail_out = n_out;
  const int result = deflate(z, flushes[what]);
  *used = n_in - z->avail_in;
  *made = n_out - z->avail_out;
  /* A flush is complete when it has left room (zlib.h). */
  *is_done = what == ENCODING_END ? result == Z_STREAM_END : *used == size && z->avail_out > 0;
  return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
}

static bool step_zstd(struct http_encoder *e, enum encoding what, const char *in, size_t size,
                      size_t *used, char *out, size_t room, size_t *made, bool *is_done) {
  static const ZSTD_EndDirective directives[] = {ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end};
  ZSTD_inBuffer from = {in, size, 0};
  ZSTD_outBuffer to = {out, room, 0};
  const size_t result = ZSTD_compressStream2(e->zstd, &to, &from, directives[what]);
  *used = from.pos;
  *made = to.pos;
  *is_done = from.pos == size && (what == ENCODING_ON || result == 0);
  return !ZSTD_isError(result);
}

bool http_encoder_step(struct http_encoder *e, enum encoding what, const char *in, size_t size,
                       size_t *used, char *out, size_t room, size_t *made, bool *is_done) {
  return e->coding == CODING_GZIP ? step_gzip(e, what, in, size, used, out, room, made, is_done)
                                  : step_zstd(e, what, in, size, used, out, room, made, is_done);
}
