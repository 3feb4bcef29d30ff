/* The way from a coded body to its bytes, bit by bit: gzip and zstd streams as they come, from
 * anybody. One thread's at a time.
 *
 * Both formats may be several of their streams one after another (members of gzip, frames of zstd,
 * those that are skipped among them), whose bytes are joined. After the last one nothing may
 * follow. A frame of zstd has a window of DECODER_WINDOW_MAX bytes at most, as RFC 9659 says for
 * HTTP, and takes no dictionary. */
#ifndef SERVER_HTTP_DECODER_H
#define SERVER_HTTP_DECODER_H

#include "server/http/coding.h"

#include <stdbool.h>
#include <stddef.h>

#define DECODER_WINDOW_MAX ((size_t)8 << 20)

struct http_decoder;

enum decoding {
  DECODING_ON,        /* all input is used, or all room */
  DECODING_WANTS,     /* more memory, to be granted before it goes on */
  DECODING_DAMAGED,   /* the stream is none; http_decoder_fault says why */
  DECODING_NO_MEMORY, /* the system gives none */
};

/* coding: gzip or zstd. NULL without memory. To be freed by the caller. */
struct http_decoder *http_decoder_new(enum http_coding coding);
void http_decoder_free(struct http_decoder *decoder);

/* The bytes that it wants to hold: what it allocates stays below what was granted. They grow with
 * the windows of zstd's frames. */
size_t http_decoder_wants(const struct http_decoder *decoder);
void http_decoder_grant(struct http_decoder *decoder, size_t bytes);

/* Takes from in [size] as far as there is room in out [room]; says how many bytes it has used and
 * made. It may hold bytes that found no room: as long as it makes as many as there is room for, it
 * is to be called again, with no more input if there is none. */
enum decoding http_decoder_step(struct http_decoder *decoder, const char *in, size_t size,
                                size_t *used, char *out, size_t room, size_t *made);

/* Whether the input may end here: behind a whole stream. */
bool http_decoder_is_whole(const struct http_decoder *decoder);

/* Why the stream is damaged. */
const char *http_decoder_fault(const struct http_decoder *decoder);

#endif
