/* Coded streams, and what the decoder makes of them. */
#ifndef TESTS_UNIT_SUPPORT_CODED_H
#define TESTS_UNIT_SUPPORT_CODED_H

#include "server/http/decoder.h"
#include "server/http/encoder.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Fuzz targets have no cmocka. */
static inline void must(bool holds) {
  if (!holds)
    abort();
}

/* Text that is coded to about half. */
static inline void fill_with_text(char *text, size_t size) {
  uint32_t random = 1;
  for (size_t i = 0; i < size; i++) {
    random = random * 1664525u + 1013904223u;
    text[i] = i % 19 == 0 ? ',' : (char)('0' + (random >> 16) % 10);
  }
}

/* Bytes of a stream of text [size], whole, malloc'ed. */
static inline char *coded(enum http_coding coding, const char *text, size_t size,
                          size_t *coded_size) {
  const size_t room = size + size / 8 + 1024;
  char *out = malloc(room);
  struct http_encoder *encoder = http_encoder_new(coding);
  size_t used = 0, made = 0;
  bool is_done = false;
  must(out && encoder);
  must(http_encoder_step(encoder, ENCODING_END, text, size, &used, out, room, &made, &is_done));
  must(is_done && used == size);
  http_encoder_free(encoder);
  *coded_size = made;
  return out;
}

/* What became of a stream. */
struct undone {
  char *bytes;             /* [size] malloc'ed */
  size_t size, used, most; /* most: that was granted */
  enum decoding state;
  bool is_whole;
  char fault[80];
};

/* Decodes bytes [size] that come in pieces, into rooms; stops at room_max bytes. */
static inline struct undone undo(enum http_coding coding, const char *bytes, size_t size,
                                 size_t piece, size_t room, size_t room_max) {
  struct undone undone = {.bytes = malloc(room_max + room)};
  struct http_decoder *decoder = http_decoder_new(coding);
  must(undone.bytes && decoder);
  for (size_t end = 0; end <= size && undone.state == DECODING_ON;) {
    size_t used = 0, made = 0;
    undone.state = http_decoder_step(decoder, bytes + undone.used, end - undone.used, &used,
                                     undone.bytes + undone.size, room, &made);
    undone.used += used;
    undone.size += made;
    must(undone.used <= end && made <= room);
    if (undone.state == DECODING_WANTS) {
      undone.most = http_decoder_wants(decoder);
      http_decoder_grant(decoder, undone.most);
      undone.state = DECODING_ON;
      continue;
    }
    if (undone.size >= room_max)
      break;
    if (used > 0 || made > 0)
      continue;
    if (end == size)
      break;
    end = size - end < piece ? size : end + piece;
  }
  undone.is_whole = undone.state == DECODING_ON && http_decoder_is_whole(decoder);
  const char *fault = undone.state == DECODING_DAMAGED ? http_decoder_fault(decoder) : "";
  strncpy(undone.fault, fault, sizeof undone.fault - 1);
  http_decoder_free(decoder);
  return undone;
}

#endif
