/* The outbound sockets of the daemon: those of the flags, and those that were asked for over HTTP.
 * Used on the loop thread. */
#ifndef SERVER_DRIVERS_SOCKETS_H
#define SERVER_DRIVERS_SOCKETS_H

#include "server/base/config.h"
#include "server/base/metrics.h"
#include "server/drivers/link.h"
#include "server/drivers/spec.h"
#include "server/jobs/predict.h"
#include "server/models/registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Of all sockets together. */
#define SOCKETS_CONNECTIONS_MAX 1024

struct sockets;

/* Lasts; fields are for reading. */
struct socket_entry {
  size_t id;
  struct socket_spec spec;
  size_t n_links;
  struct link *links[]; /* [n_links] */
};

struct sockets_options {
  uv_loop_t *loop;
  const struct config *config;
  struct registry *registry;
  struct predictor *predictor;
  struct metrics *metrics;
};

/* NULL without memory. */
struct sockets *sockets_new(const struct sockets_options *options);

/* Opens what the flags --ipi and --mdi say. BAD_ARGUMENT, TOO_LARGE, NO_MEMORY. */
enum irrep_status sockets_open_flags(struct sockets *sockets, struct irrep_error *error);

/* Whether the flags can be understood: BAD_ARGUMENT, TOO_LARGE, NO_MEMORY. */
enum irrep_status sockets_check_flags(const struct config *config, struct irrep_error *error);

/* Begins to connect, and takes the spec when it does. TOO_LARGE: too many connections or draining;
 * NO_MEMORY. */
enum irrep_status sockets_add(struct sockets *sockets, struct socket_spec *spec, size_t *id,
                              struct irrep_error *error);

/* Sockets in the order of their ids; those that are closed stay listed for a while. */
size_t sockets_count(const struct sockets *sockets);
const struct socket_entry *sockets_at(const struct sockets *sockets, size_t index);

/* Closes each connection when its driver has what it has asked for, and calls done once when none
 * is left: maybe at once, at the latest a second after the last structure. */
void sockets_drain(struct sockets *sockets, void (*done)(void *context), void *context);

/* Closes all connections now, whatever their drivers wait for. */
void sockets_abandon(struct sockets *sockets);

/* Frees everything. NULL is allowed. The loop must run once more before it is closed. */
void sockets_free(struct sockets *sockets);

#endif
