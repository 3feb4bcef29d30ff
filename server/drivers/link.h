/* One outbound connection on the loop: connects, feeds its protocol, has structures evaluated,
 * sends what the protocol answers, and connects again when it is lost. Used on the loop thread. */
#ifndef SERVER_DRIVERS_LINK_H
#define SERVER_DRIVERS_LINK_H

#include "server/base/config.h"
#include "server/drivers/spec.h"
#include "server/jobs/predict.h"
#include "server/models/registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum link_state {
  LINK_WAITING, /* for the next attempt to connect */
  LINK_CONNECTING,
  LINK_CONNECTED,
  LINK_CLOSED, /* for good */
};

const char *link_state_name(enum link_state state);

struct link;

struct link_options {
  uv_loop_t *loop;
  const struct config *config;
  struct registry *registry;
  struct predictor *predictor;
  const struct socket_spec *spec; /* outlives the link */
  size_t id, index;               /* of the socket, and of this among its connections: for logs */
  void (*changed)(void *context, struct link *link); /* its state has changed */
  void *context;
};

/* Begins to connect, from the loop. NULL without memory. */
struct link *link_new(const struct link_options *options);

/* Closes whatever is open and frees the link; no call of changed comes after that. The loop must
 * run once more before it is closed. */
void link_free(struct link *link);

/* Closes for good once the driver has what it has asked for. */
void link_drain(struct link *link);

/* Closes for good now. */
void link_close(struct link *link);

enum link_state link_state(const struct link *link);
bool link_is_computing(const struct link *link);

/* Structures answered, by all connections of the link's life; and why it was not, or is no longer,
 * connected ("" when nothing is known). */
size_t link_structures(const struct link *link);
const char *link_reason(const struct link *link);

/* How long one that is WAITING waits for the next attempt: each time twice as long, up to some
 * seconds, and short again after a connection that has answered structures. */
uint64_t link_pause_ms(const struct link *link);

/* Whether that reason is a fault, not the end that the driver or the daemon chose. */
bool link_failed(const struct link *link);

#endif
