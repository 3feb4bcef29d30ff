/* A stream of bytes that a wire reads in pieces of a given size, and what it lets through. */
#ifndef TESTS_UNIT_SUPPORT_WIRE_H
#define TESTS_UNIT_SUPPORT_WIRE_H

#include "server/http/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct stream {
  const char *bytes;
  size_t size, at;
  size_t piece;   /* read at a time */
  size_t arrived; /* so many have come: a multiple of piece */
};

static inline ssize_t stream_read(void *context, void *bytes, size_t size) {
  struct stream *s = context;
  if (s->at == s->size)
    return 0;
  const size_t left = s->arrived < s->size ? s->arrived - s->at : s->size - s->at;
  const size_t n = left < size ? left : size;
  if (n == 0) {
    errno = EAGAIN;
    return -1;
  }
  memcpy(bytes, s->bytes + s->at, n);
  s->at += n;
  return (ssize_t)n;
}

struct passed {
  char *bytes; /* for free() */
  size_t size;
  struct wire wire; /* as it ended, without what it held */
  struct wire_request request;
};

/* All that a wire passes on of a stream that arrives piece by piece, to a library that asks for
 * `ask` bytes at a time. Gives up, with a size of SIZE_MAX, when the wire keeps bytes back that the
 * library would wait for. */
static inline struct passed pass(const char *bytes, size_t size, size_t piece, size_t ask) {
  struct stream stream = {bytes, size, 0, piece, 0};
  struct passed passed = {.bytes = malloc(size + ask + 1)};
  wire_init(&passed.wire);
  for (bool ended = false; !ended;) {
    stream.arrived += piece;
    ssize_t n;
    while ((n = wire_receive(&passed.wire, stream_read, &stream, passed.bytes + passed.size, ask,
                             &passed.request)) > 0)
      passed.size += (size_t)n;
    ended = n == 0;
    if (!ended && errno != EAGAIN) {
      passed.size = SIZE_MAX;
      break;
    }
  }
  const struct wire wire = passed.wire;
  wire_fini(&passed.wire);
  passed.wire = wire;
  return passed;
}

#endif
