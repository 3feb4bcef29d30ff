/* The engine's side of a protocol that driver programs speak over a stream of bytes: bytes in,
 * bytes out, and a driver (server/jobs/driver.h), which asks for what the program has asked for.
 *
 * Without I/O: whoever owns the stream (link.c) feeds the bytes that come, sends those of `out`,
 * and lets a drive carry the driver's requests.
 *
 *     kind->new -> feed -> ASKS -> driver: request, answer -> WAITS -> feed -> ... -> driver: free
 *
 * To add a protocol: NAME_parser.[ch] with a message_reader, from bytes to messages; NAME.c with a
 * struct that begins with a struct protocol, its struct protocol_kind, declared here, and the
 * struct driver_kind of its driver; its name where sockets.c reads flags and routes_sockets.c
 * bodies; tests/unit/test_NAME.c and tests/fuzz/fuzz_NAME.c.
 *
 * Used by one thread at a time. */
#ifndef SERVER_DRIVERS_PROTOCOL_H
#define SERVER_DRIVERS_PROTOCOL_H

#include "core/base/text.h"
#include "server/drivers/species.h"
#include "server/jobs/driver.h"

#include <stdbool.h>
#include <stddef.h>

/* What is known before the program speaks. */
struct protocol_settings {
  const char *model; /* "": the program must say */
  bool has_precision;
  enum irrep_precision precision;
  struct request_head head;
  const struct species *species; /* no atoms: the program must say */
  size_t max_atoms;              /* of all structures of an exchange together */
  size_t max_structures;
};

struct protocol {
  struct driver driver; /* first */
  /* Read-only */
  const struct protocol_kind *kind;
  bool in_message;   /* the program has sent a part of a message */
  size_t n_messages; /* that were whole */
  bool owes;         /* the program has asked for what has not been handed to it yet */
  struct text out;   /* to be sent: the owner takes it; after refuse, what the program understands
                        as a failure, if there is such a thing */
};

struct protocol_kind {
  const char *name;
  /* NULL without memory. settings are copied, or shared. What is to be sent first is in `out`. */
  struct protocol *(*new)(const struct protocol_settings *settings);
  /* Takes bytes [size] up to what its driver does next; *used gets how many. WAITS: for more bytes,
   * and for those that were not used, once `out` has been taken. Not to be called while it ASKS. */
  enum driver_next (*feed)(struct protocol *protocol, const unsigned char *bytes, size_t size,
                           size_t *used);
};

/* What `out` may hold before no further message is answered. */
#define PROTOCOL_OUT_ENOUGH ((size_t)64 << 10)

extern const struct protocol_kind protocol_ipi, protocol_mdi;

/* NULL is allowed. */
static inline void protocol_free(struct protocol *protocol) {
  if (protocol != NULL)
    protocol->driver.kind->free(&protocol->driver);
}

#endif
