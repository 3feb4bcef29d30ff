/* The way from the bytes of an answer to a coded body, bit by bit. One thread's at a time. */
#ifndef SERVER_HTTP_ENCODER_H
#define SERVER_HTTP_ENCODER_H

#include "server/http/coding.h"

#include <stdbool.h>
#include <stddef.h>

struct http_encoder;

/* What becomes of the input, and of what the encoder holds back. */
enum encoding {
  ENCODING_ON,    /* it waits for more to come */
  ENCODING_FLUSH, /* all of it can be decoded from what is made */
  ENCODING_END    /* no more comes: the stream is closed */
};

/* coding: gzip or zstd, both at their fastest level. NULL without memory. To be freed by the
 * caller. */
struct http_encoder *http_encoder_new(enum http_coding coding);
void http_encoder_free(struct http_encoder *encoder);

/* The most bytes that an encoder holds. */
size_t http_encoder_bytes(enum http_coding coding);

/* Takes from in [size] as far as there is room in out [room]; says how many bytes it has used and
 * made, and whether all input is used and all is done that was asked for. What was begun with FLUSH
 * or END is to be called with it until then. false: without memory. */
bool http_encoder_step(struct http_encoder *encoder, enum encoding what, const char *in,
                       size_t size, size_t *used, char *out, size_t room, size_t *made,
                       bool *is_done);

#endif
