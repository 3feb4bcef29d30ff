/* What a connection's socket tells beside its bytes: that the client has ended its side, has gone,
 * or is too slow; and an answer past the HTTP library, for requests it is still reading.
 *
 * libmicrohttpd 0.9.75 sees neither disconnects nor timeouts of suspended connections, and takes no
 * answer while a body arrives. Used on the loop thread. */
#ifndef SERVER_HTTP_PEER_H
#define SERVER_HTTP_PEER_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct peer;

struct peer_events {
  void (*late)(void *context);
  void (*ended)(void *context);
  void (*gone)(void *context);
  void *context;
};

/* Watches a connected socket, and its TLS session, if any (NULL): both stay the caller's and must
 * outlive the peer. late is called when a deadline passes; ended once, when the client will send no
 * more; gone once, when it reads no more either. NULL without memory. */
struct peer *peer_new(uv_loop_t *loop, int fd, gnutls_session_t session,
                      const struct peer_events *events);

/* Stops everything and frees the peer; no event comes after that. NULL is allowed. */
void peer_free(struct peer *peer);

#define PEER_NAME_SIZE 64

/* Writes the address of a connected socket's other side into name [PEER_NAME_SIZE], "unix" for a
 * Unix socket. Returns whether it is on this machine. */
bool peer_name(int fd, char *name);

/* Calls late in so many milliseconds instead of whenever was set before; 0: never. */
void peer_deadline(struct peer *peer, uint64_t milliseconds);

/* Whether bytes, but those of a handshake, have arrived since the last peer_mark, or at all without
 * one; always false on Unix sockets. */
void peer_mark(struct peer *peer);
bool peer_has_sent(const struct peer *peer);

/* Whether bytes wait in the socket to be read. */
bool peer_has_unread(const struct peer *peer);

/* Whether a client that has ended its side may still read: one that has closed its socket looks the
 * same until something is sent to it. So the first byte of its answer is: then gone comes at once,
 * or the client has that byte already. Once for each answer; an answer is due. false: it has gone.
 */
bool peer_probe(struct peer *peer);

/* The bytes of the next answer that the client has already, 0 or 1; and when they have been left
 * out.
 */
size_t peer_told(const struct peer *peer);
void peer_forget_told(struct peer *peer);

/* Sends these bytes as far as the socket takes them at once, without those that it has been told,
 * and closes our side for writing. */
void peer_last_words(struct peer *peer, const char *text, size_t size);

/* Closes both sides, so that the HTTP library finds the connection ended. */
void peer_hang_up(struct peer *peer);

#endif
