#include "server/http/decoder.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define GZIP_ONLY (15 + 16) /* windowBits: the largest window, behind a header of gzip */

/* What zlib says it holds at most while it inflates (zconf.h): a window and about 7 kB. */
#define GZIP_BYTES ((size_t)(32 + 12) << 10)

/* What libzstd holds beside a frame's window: its tables, and blocks on their way in and out. */
#define ZSTD_BYTES ((size_t)256 << 10)
#define ZSTD_BLOCK ((size_t)128 << 10)
#define ZSTD_WINDOW_LOG_MAX 23
_Static_assert((size_t)1 << ZSTD_WINDOW_LOG_MAX == DECODER_WINDOW_MAX, "one bound");

#define ZSTD_HEADER_MAX 18 /* bytes of a frame's header, its magic number included */

struct http_decoder {
  enum http_coding coding;
  z_stream gzip;
  ZSTD_DStream *zstd;
  char header[ZSTD_HEADER_MAX]; /* of the frame to come [n_header] */
  size_t n_header;
  bool is_open;   /* libraries have given their memory */
  bool is_inside; /* a stream has begun and not ended */
  size_t n_whole; /* streams that have ended */
  size_t wants, granted;
  const char *fault;
};

struct http_decoder *http_decoder_new(enum http_coding coding) {
  struct http_decoder *d = calloc(1, sizeof *d);
  if (!d)
    return NULL;
  d->coding = coding;
  d->wants = coding == CODING_GZIP ? GZIP_BYTES : ZSTD_BYTES;
  return d;
}

/* Takes what was granted first. */
static bool open_streams(struct http_decoder *d) {
  d->zstd = d->coding == CODING_ZSTD ? ZSTD_createDStream() : NULL;
  d->is_open = d->coding == CODING_GZIP
                   ? inflateInit2(&d->gzip, GZIP_ONLY) == Z_OK
                   : d->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax,
                                                                     ZSTD_WINDOW_LOG_MAX));
  return d->is_open;
}

void http_decoder_free(struct http_decoder *d) {
  if (!d)
    return;
  if (d->coding == CODING_GZIP && d->is_open)
    inflateEnd(&d->gzip);
  ZSTD_freeDStream(d->zstd);
  free(d);
}

size_t http_decoder_wants(const struct http_decoder *d) {
  return d->wants;
}

void http_decoder_grant(struct http_decoder *d, size_t bytes) {
  d->granted = bytes;
}

bool http_decoder_is_whole(const struct http_decoder *d) {
  return !d->is_inside && d->n_header == 0 && d->n_whole > 0;
}

const char *http_decoder_fault(const struct http_decoder *d) {
  return d->fault;
}

static enum decoding damaged(struct http_decoder *d, const char *fault) {
  d->fault = fault;
  return DECODING_DAMAGED;
}

static void end_stream(struct http_decoder *d) {
  d->is_inside = false;
  d->n_header = 0;
  d->n_whole++;
}

/* gzip */

static unsigned as_unsigned(size_t size) {
  return size < UINT32_MAX ? (unsigned)size : UINT32_MAX;
}

/* zlib's words, but for a beginning that is none behind a whole member. */
static const char *gzip_fault(const struct http_decoder *d) {
  const char *words = d->gzip.msg ? d->gzip.msg : "it is damaged";
  const bool is_beginning = strcmp(words, "incorrect header check") == 0;
  return is_beginning && d->n_whole > 0 ? "bytes follow its end that begin no other member" : words;
}

static enum decoding step_gzip(struct http_decoder *d, const char *in, size_t size, size_t *used,
                               char *out, size_t room, size_t *made) {
  z_stream *z = &d->gzip;
  if (!d->is_inside) {
    if (size == 0)
      return DECODING_ON;
    if (inflateReset(z) != Z_OK)
      return DECODING_NO_MEMORY;
    d->is_inside = true;
  }
  const unsigned n_in = as_unsigned(size), n_out = as_unsigned(room);
  z->next_in = (z_const Bytef *)(uintptr_t)in;
  z->avail_in = n_in;
  z->next_out = (Bytef *)out;
  z->avail_out = n_out;
  const int result = inflate(z, Z_NO_FLUSH);
  *used = n_in - z->avail_in;
  *made = n_out - z->avail_out;
  switch (result) {
  case Z_STREAM_END:
    end_stream(d);
    return DECODING_ON;
  case Z_OK:
  case Z_BUF_ERROR: /* neither input nor room */
    return DECODING_ON;
  case Z_MEM_ERROR:
    return DECODING_NO_MEMORY;
  default:
    return damaged(d, gzip_fault(d));
  }
}

/* zstd */

static uint64_t little_endian(const char *bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;)
    value = value << 8 | (unsigned char)bytes[i];
  return value;
}

/* The descriptor behind the magic number (RFC 8878, 3.1.1.1.1). */
struct descriptor {
  size_t n_window, n_dictionary, n_content; /* bytes of the fields that follow */
};

static struct descriptor descriptor_of(char byte) {
  static const size_t dictionary[] = {0, 1, 2, 4}, content[] = {0, 2, 4, 8};
  const unsigned bits = (unsigned char)byte, flag = bits >> 6;
  const bool is_single = (bits >> 5 & 1) != 0;
  return (struct descriptor){is_single ? 0 : 1, dictionary[bits & 3],
                             is_single && flag == 0 ? 1 : content[flag]};
}

static bool begins_frame(const char *header) {
  return little_endian(header, 4) == ZSTD_MAGICNUMBER;
}

static bool begins_skipped(const char *header) {
  return (little_endian(header, 4) & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

/* The bytes of header to be seen before it is known what the frame takes. */
static size_t header_size(const struct http_decoder *d) {
  if (d->n_header < 4 || begins_skipped(d->header))
    return 4;
  if (d->n_header < 5)
    return 5;
  const struct descriptor descriptor = descriptor_of(d->header[4]);
  return 5 + descriptor.n_window + descriptor.n_dictionary + descriptor.n_content;
}

/* The bytes of the window of a frame (RFC 8878, 3.1.1.1.2): of all content, where it has none. */
static size_t window_of(const char *header) {
  const struct descriptor descriptor = descriptor_of(header[4]);
  if (descriptor.n_window > 0) {
    const unsigned bits = (unsigned char)header[5], log = 10 + (bits >> 3);
    const uint64_t base = (uint64_t)1 << log;
    const uint64_t window = base + base / 8 * (bits & 7);
    return window < DECODER_WINDOW_MAX ? (size_t)window : DECODER_WINDOW_MAX;
  }
  uint64_t content = little_endian(header + 5 + descriptor.n_dictionary, descriptor.n_content);
  content += descriptor.n_content == 2 ? 256 : 0;
  return content < DECODER_WINDOW_MAX ? (size_t)content : DECODER_WINDOW_MAX;
}

/* Takes what of the next frame's header there is. */
static enum decoding take_header(struct http_decoder *d, const char *in, size_t size,
                                 size_t *used) {
  while (d->n_header < header_size(d) && *used < size)
    d->header[d->n_header++] = in[(*used)++];
  if (d->n_header < 4)
    return DECODING_ON;
  if (begins_skipped(d->header))
    return DECODING_ON;
  if (!begins_frame(d->header))
    return damaged(d, d->n_whole > 0 ? "bytes follow its end that begin no other frame"
                                     : "it does not begin as such a stream");
  if (d->n_header < header_size(d))
    return DECODING_ON;
  const size_t wants = ZSTD_BYTES + 2 * ZSTD_BLOCK + window_of(d->header);
  d->wants = wants > d->wants ? wants : d->wants; /* it keeps what it has */
  return d->wants > d->granted ? DECODING_WANTS : DECODING_ON;
}

static enum decoding feed_zstd(struct http_decoder *d, ZSTD_inBuffer *in, ZSTD_outBuffer *out) {
  const size_t result = ZSTD_decompressStream(d->zstd, out, in);
  if (ZSTD_isError(result))
    return damaged(d, ZSTD_getErrorName(result));
  if (result == 0)
    end_stream(d);
  return DECODING_ON;
}

static enum decoding step_zstd(struct http_decoder *d, const char *in, size_t size, size_t *used,
                               char *out, size_t room, size_t *made) {
  ZSTD_outBuffer to = {out, room, 0};
  if (!d->is_inside) {
    enum decoding found = take_header(d, in, size, used);
    if (found != DECODING_ON || d->n_header < header_size(d))
      return found;
    d->is_inside = true;
    ZSTD_inBuffer header = {d->header, d->n_header, 0};
    found = feed_zstd(d, &header, &to);
    if (found != DECODING_ON)
      return found;
  }
  ZSTD_inBuffer from = {in, size, *used};
  const enum decoding fed = feed_zstd(d, &from, &to);
  *used = from.pos;
  *made = to.pos;
  return fed;
}

enum decoding http_decoder_step(struct http_decoder *d, const char *in, size_t size, size_t *used,
                                char *out, size_t room, size_t *made) {
  *used = *made = 0;
  if (d->wants > d->granted)
    return DECODING_WANTS;
  if (!d->is_open && !open_streams(d))
    return DECODING_NO_MEMORY;
  return d->coding == CODING_GZIP ? step_gzip(d, in, size, used, out, room, made)
                                  : step_zstd(d, in, size, used, out, room, made);
}
