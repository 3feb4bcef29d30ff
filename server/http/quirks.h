/* What libmicrohttpd (0.9.75 is Debian 12's) does otherwise than its users expect, and where the
 * remedy is:
 *
 *   It takes for requests what other parsers read otherwise, and answers what it refuses itself, in
 *   HTML that nobody counts. Bytes go through a scanner before it sees them: here, and wire.h.
 *
 *   A suspended connection sees neither timeouts nor disconnects, and an end that comes together
 *   with the last bytes is missed. Sockets are watched beside the library: peer.h.
 *
 *   It cannot ask whether a client that has ended its side is still there. The first byte of an
 * answer goes past it, and is left out when it sends the whole: peer_probe, and here.
 *
 *   It takes no answer while a body arrives. Refusals go past it: peer_last_words.
 *
 *   At its limit of connections it accepts only in the run after the one that ended a connection,
 *   and says of no timeout that it wants one. Runs are repeated: quirks_run.
 *
 *   It decodes escapes in paths, %2F and %00 too. It is told to leave them: quirks_leave_escaped.
 *
 *   Behind the head of a chunked answer to HEAD it writes the end of a body, which a client takes
 * for the beginning of the next answer: quirks_head_of_stream.
 */
#ifndef SERVER_HTTP_QUIRKS_H
#define SERVER_HTTP_QUIRKS_H

#include "server/http/peer.h"
#include "server/http/wire.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

/* Through which the library reads and writes its sockets while it runs. */
struct quirks_filter {
  bool tls; /* the bytes of TLS sessions, not of sockets, are filtered */
  /* The peer of a descriptor; NULL: there is none. */
  struct peer *(*peer_of)(void *context, int fd);
  ssize_t (*receive)(void *context, int fd, wire_read read, void *source, void *bytes, size_t size);
  void *context;
};

/* Runs the library once; what it reads meanwhile goes through the filter. Returns the milliseconds
 * after which it must run again, or -1: when something happens.
 *   again  set by callbacks when a connection has ended */
int64_t quirks_run(struct MHD_Daemon *daemon, const struct quirks_filter *filter, bool *again);

/* For MHD_OPTION_UNESCAPE_CALLBACK. */
size_t quirks_leave_escaped(void *context, struct MHD_Connection *connection, char *text);

/* Of a response that is a stream, to HEAD: its head alone is sent, and the connection closed. */
void quirks_head_of_stream(struct MHD_Response *response);

#endif
