#include "server/drivers/sockets.h"

#include "server/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sockets that are closed for good and still listed. */
#define CLOSED_LISTED_MAX 64

/* What a connection holds for each atom of its structure while that is computed: positions as they
 * came and as they are asked for, forces as they were computed and as they are sent. */
#define ATOM_BYTES ((size_t)160)

/* How long drivers have to fetch what they have asked for. */
#define DRAIN_MS 1000

struct sockets {
  struct sockets_options options;
  struct socket_entry **entries; /* [n_entries] */
  size_t n_entries, last_id;
  bool draining;
  void (*done)(void *context);
  void *done_context;
  uv_timer_t *timer; /* on the heap: libuv keeps it until the loop has run again */
};

static size_t count_links(const struct socket_entry *entry, enum link_state state) {
  size_t n = 0;
  for (size_t i = 0; i < entry->n_links; i++)
    n += link_state(entry->links[i]) == state;
  return n;
}

static bool is_closed(const struct socket_entry *entry) {
  return count_links(entry, LINK_CLOSED) == entry->n_links;
}

static size_t count_open(const struct sockets *sockets) {
  size_t n = 0;
  for (size_t i = 0; i < sockets->n_entries; i++)
    n += sockets->entries[i]->n_links - count_links(sockets->entries[i], LINK_CLOSED);
  return n;
}

/* What connections of a spec may hold; SIZE_MAX where that overflows. */
static size_t bytes_of(const struct socket_spec *spec, size_t n_links) {
  const size_t each = spec->species.n_atoms > SIZE_MAX / ATOM_BYTES / SOCKETS_CONNECTIONS_MAX
                          ? SIZE_MAX / SOCKETS_CONNECTIONS_MAX
                          : ATOM_BYTES * spec->species.n_atoms;
  return each * n_links;
}

/* What those that are not closed may hold together. */
static size_t bytes_open(const struct sockets *sockets) {
  size_t bytes = 0;
  for (size_t i = 0; i < sockets->n_entries; i++) {
    const struct socket_entry *entry = sockets->entries[i];
    bytes += bytes_of(&entry->spec, entry->n_links - count_links(entry, LINK_CLOSED));
  }
  return bytes;
}

static void tell_done(struct sockets *sockets) {
  void (*done)(void *) = sockets->done;
  sockets->done = NULL;
  uv_timer_stop(sockets->timer);
  if (done != NULL)
    done(sockets->done_context);
}

static void on_changed(void *context, struct link *link) {
  struct sockets *sockets = context;
  size_t connected = 0;
  (void)link;
  for (size_t i = 0; i < sockets->n_entries; i++)
    connected += count_links(sockets->entries[i], LINK_CONNECTED);
  metrics_socket_clients(sockets->options.metrics, connected);
  if (sockets->draining && count_open(sockets) == 0)
    tell_done(sockets);
}

/* Sockets */

static void free_entry(struct socket_entry *entry) {
  for (size_t i = 0; i < entry->n_links; i++)
    link_free(entry->links[i]);
  socket_spec_fini(&entry->spec);
  free(entry);
}

/* Forgets the oldest of the closed when they are many. */
static void forget_closed(struct sockets *sockets) {
  size_t n_closed = 0;
  for (size_t i = 0; i < sockets->n_entries; i++)
    n_closed += is_closed(sockets->entries[i]);
  size_t kept = 0;
  for (size_t i = 0; i < sockets->n_entries; i++) {
    struct socket_entry *entry = sockets->entries[i];
    if (n_closed > CLOSED_LISTED_MAX && is_closed(entry)) {
      n_closed--;
      free_entry(entry);
    } else {
      sockets->entries[kept++] = entry;
    }
  }
  sockets->n_entries = kept;
}

static struct socket_entry *new_entry(struct sockets *sockets, struct socket_spec *spec) {
  const struct sockets_options *o = &sockets->options;
  const size_t n = spec->connections;
  struct socket_entry *entry = calloc(1, sizeof *entry + n * sizeof(struct link *));
  if (!entry)
    return NULL;
  entry->id = sockets->last_id + 1;
  entry->spec = *spec;
  struct link_options options = {.loop = o->loop,
                                 .config = o->config,
                                 .registry = o->registry,
                                 .predictor = o->predictor,
                                 .spec = &entry->spec,
                                 .id = entry->id,
                                 .changed = on_changed,
                                 .context = sockets};
  for (; entry->n_links < n; entry->n_links++) {
    options.index = entry->n_links;
    entry->links[entry->n_links] = link_new(&options);
    if (!entry->links[entry->n_links]) {
      entry->spec = (struct socket_spec){0}; /* it stays the caller's */
      free_entry(entry);
      return NULL;
    }
  }
  return entry;
}

enum irrep_status sockets_add(struct sockets *sockets, struct socket_spec *spec, size_t *id,
                              struct irrep_error *error) {
  if (sockets->draining)
    return irrep_fail(error, IRREP_TOO_LARGE, "", "the server is shutting down");
  if (spec->connections > SOCKETS_CONNECTIONS_MAX - count_open(sockets))
    return irrep_fail(error, IRREP_TOO_LARGE, "connections",
                      "%zu connections are open and %d are the limit", count_open(sockets),
                      SOCKETS_CONNECTIONS_MAX);
  const size_t bytes = bytes_of(spec, spec->connections), open = bytes_open(sockets);
  const size_t most = sockets->options.config->max_receiving_bytes;
  if (most > 0 && (open > most || bytes > most - open))
    return irrep_fail(error, IRREP_TOO_LARGE, "connections",
                      "%zu connections of %zu atoms hold %zu bytes beside %zu of others; %zu are "
                      "the limit (--max-receiving-bytes)",
                      spec->connections, spec->species.n_atoms, bytes, open, most);
  forget_closed(sockets);
  struct socket_entry **entries =
      realloc(sockets->entries, (sockets->n_entries + 1) * sizeof(struct socket_entry *));
  if (entries != NULL)
    sockets->entries = entries;
  struct socket_entry *entry = entries != NULL ? new_entry(sockets, spec) : NULL;
  if (!entry)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory for the socket");
  *spec = (struct socket_spec){0};
  entries[sockets->n_entries++] = entry;
  *id = sockets->last_id = entry->id;
  return IRREP_OK;
}

size_t sockets_count(const struct sockets *sockets) {
  return sockets->n_entries;
}

const struct socket_entry *sockets_at(const struct sockets *sockets, size_t index) {
  return sockets->entries[index];
}

/* Flags */

/* Reads the sockets of a flag, which are separated by ";", and opens them unless sockets is NULL.
 */
static enum irrep_status read_flag(struct sockets *sockets, const struct protocol_kind *protocol,
                                   const char *text, size_t max_atoms, struct irrep_error *error) {
  enum irrep_status status = IRREP_OK;
  for (const char *at = text != NULL ? text : ""; *at != '\0' && status == IRREP_OK;) {
    const size_t length = strcspn(at, ";");
    struct socket_spec spec = {0};
    struct irrep_error why = {0};
    size_t id;
    status = socket_spec_read(protocol, at, length, max_atoms, &spec, &why);
    if (status == IRREP_OK && sockets != NULL)
      status = sockets_add(sockets, &spec, &id, &why);
    socket_spec_fini(&spec);
    if (status != IRREP_OK)
      return irrep_fail(error, status, protocol->name, "--%s %.*s: %.180s", protocol->name,
                        length < 60 ? (int)length : 60, at, why.detail);
    at += length + (at[length] == ';');
  }
  return status;
}

static enum irrep_status read_flags(struct sockets *sockets, const struct config *config,
                                    struct irrep_error *error) {
  enum irrep_status status =
      read_flag(sockets, &protocol_ipi, config->ipi, config->max_atoms, error);
  if (status == IRREP_OK)
    status = read_flag(sockets, &protocol_mdi, config->mdi, config->max_atoms, error);
  return status;
}

enum irrep_status sockets_open_flags(struct sockets *sockets, struct irrep_error *error) {
  return read_flags(sockets, sockets->options.config, error);
}

enum irrep_status sockets_check_flags(const struct config *config, struct irrep_error *error) {
  return read_flags(NULL, config, error);
}

/* Life */

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

struct sockets *sockets_new(const struct sockets_options *options) {
  struct sockets *sockets = calloc(1, sizeof *sockets);
  uv_timer_t *timer = calloc(1, sizeof *timer);
  if (!sockets || !timer) {
    free(sockets);
    free(timer);
    return NULL;
  }
  sockets->options = *options;
  sockets->timer = timer;
  uv_timer_init(options->loop, timer);
  timer->data = sockets;
  return sockets;
}

static bool is_computing(const struct sockets *sockets) {
  for (size_t i = 0; i < sockets->n_entries; i++)
    for (size_t k = 0; k < sockets->entries[i]->n_links; k++)
      if (link_is_computing(sockets->entries[i]->links[k]))
        return true;
  return false;
}

static void on_late(uv_timer_t *timer) {
  struct sockets *sockets = timer->data;
  if (is_computing(sockets))
    uv_timer_start(timer, on_late, DRAIN_MS, 0);
  else
    tell_done(sockets);
}

void sockets_drain(struct sockets *sockets, void (*done)(void *context), void *context) {
  sockets->draining = true;
  sockets->done = done;
  sockets->done_context = context;
  uv_timer_start(sockets->timer, on_late, DRAIN_MS, 0);
  for (size_t i = 0; i < sockets->n_entries; i++)
    for (size_t k = 0; k < sockets->entries[i]->n_links; k++)
      link_drain(sockets->entries[i]->links[k]);
  if (count_open(sockets) == 0)
    tell_done(sockets);
}

void sockets_abandon(struct sockets *sockets) {
  for (size_t i = 0; i < sockets->n_entries; i++)
    for (size_t k = 0; k < sockets->entries[i]->n_links; k++)
      link_close(sockets->entries[i]->links[k]);
}

void sockets_free(struct sockets *sockets) {
  if (!sockets)
    return;
  for (size_t i = 0; i < sockets->n_entries; i++)
    free_entry(sockets->entries[i]);
  metrics_socket_clients(sockets->options.metrics, 0);
  uv_close((uv_handle_t *)sockets->timer, free_handle);
  free(sockets->entries);
  free(sockets);
}
