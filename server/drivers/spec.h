/* What an outbound socket shall do: what a flag or POST /v1/sockets says. */
#ifndef SERVER_DRIVERS_SPEC_H
#define SERVER_DRIVERS_SPEC_H

#include "irrep/model.h"
#include "server/codec/codec_head.h"
#include "server/drivers/protocol.h"
#include "server/drivers/species.h"
#include "server/os/address.h"

#include <stdbool.h>
#include <stddef.h>

#define SOCKET_CONNECTIONS_MAX 256

/* Zero-initialised it is empty. */
struct socket_spec {
  const struct protocol_kind *protocol;
  struct socket_address address;
  char model[65];
  bool has_precision;
  enum irrep_precision precision;
  struct request_head head;
  struct species species; /* no atoms: the driver says */
  size_t connections;
  bool reconnects; /* connects again for ever; otherwise it ends with its connections */
};

void socket_spec_fini(struct socket_spec *spec);

/* Reads the value [length] of a flag: ADDRESS,model=NAME and any of structure=FILE,
 * species=FORMULA, pbc=TTF, precision=NAME, head=NAME and connections=K. On OK the spec, which
 * stays, is the caller's (socket_spec_fini), otherwise empty. BAD_ARGUMENT, TOO_LARGE, NO_MEMORY.
 */
enum irrep_status socket_spec_read(const struct protocol_kind *protocol, const char *text,
                                   size_t length, size_t max_atoms, struct socket_spec *spec,
                                   struct irrep_error *error);

#endif
