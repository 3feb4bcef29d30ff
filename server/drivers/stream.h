/* A connected or connecting stream socket of libuv that tells its owner what happens, and that may
 * be dropped at any time. Used on the loop thread. */
#ifndef SERVER_DRIVERS_STREAM_H
#define SERVER_DRIVERS_STREAM_H

#include "core/base/text.h"
#include "server/os/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct stream;

struct stream_events {
  void *context;
  void (*connected)(void *context);
  /* Bytes have come; those that stream_take does not take stay for the next call. */
  void (*readable)(void *context);
  /* All that was sent has left. */
  void (*sent)(void *context);
  /* It has ended, by the peer (reason "") or by a fault; the owner closes it. */
  void (*ended)(void *context, const char *reason);
};

/* Begins to connect; events come from the loop, never from inside a call. NULL without memory. */
struct stream *stream_connect(uv_loop_t *loop, const struct socket_address *address,
                              const struct stream_events *events);

/* Closes and frees it; no event comes after that. What was sent still leaves, and what the peer is
 * sending is read for a moment: closed on unread bytes, a connection breaks in the peer's hands,
 * and i-PI does not survive that. */
void stream_close(struct stream *stream);

/* The bytes received and not taken yet, of which stream_take takes the first n. */
const unsigned char *stream_bytes(const struct stream *stream, size_t *size);
void stream_take(struct stream *stream, size_t n);

/* Sends what is in text, which is empty afterwards, in one piece as far as the system takes it.
 * false: not all has left yet; sent or ended will follow. */
bool stream_send(struct stream *stream, struct text *text);

#endif
