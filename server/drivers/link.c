#include "server/drivers/link.h"

#include "server/base/log.h"
#include "server/drivers/stream.h"
#include "server/jobs/drive.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pauses between attempts to connect: doubled each time, from the first to the last. */
#define PAUSE_FIRST_MS 100
#define PAUSE_LAST_MS 5000

/* How long one that does not reconnect tries to connect at all. */
#define PATIENCE_MS 60000

/* How often it looks whether its model has been loaded. */
#define LOOK_MS 100

struct link {
  struct link_options options;
  enum link_state state;
  uv_timer_t *timer; /* on the heap: libuv keeps it until the loop has run again */
  struct stream *stream;
  struct protocol *protocol;
  struct drive *drive; /* of the protocol's driver */
  bool sending, draining;
  bool watching;     /* the timer watches for silence */
  uint64_t pause_ms; /* the last; 0: none since the start or a connection that was of use */
  uint64_t begun_ms;
  size_t n_structures; /* by connections that are over */
  char reason[320];
  bool failed; /* the reason is a fault */
};

static void on_timer(uv_timer_t *timer);

const char *link_state_name(enum link_state state) {
  static const char *const names[] = {"waiting", "connecting", "connected", "closed"};
  return names[state];
}

enum link_state link_state(const struct link *link) {
  return link->state;
}

bool link_is_computing(const struct link *link) {
  return link->drive != NULL && drive_is_busy(link->drive);
}

size_t link_structures(const struct link *link) {
  return link->n_structures + (link->drive != NULL ? drive_structures(link->drive) : 0);
}

const char *link_reason(const struct link *link) {
  return link->reason;
}

uint64_t link_pause_ms(const struct link *link) {
  return link->pause_ms;
}

bool link_failed(const struct link *link) {
  return link->failed;
}

static void start_timer(struct link *link, uint64_t ms) {
  uv_update_time(link->options.loop);
  uv_timer_start(link->timer, on_timer, ms, 0);
  link->watching = false;
}

static void stop_timer(struct link *link) {
  uv_timer_stop(link->timer);
  link->watching = false;
}

static void log_link(const struct link *link, enum log_level level, const char *message) {
  const struct link_options *o = &link->options;
  log_write(level, message, LOG_INTEGER, "socket", (long long)o->id, LOG_INTEGER, "connection",
            (long long)o->index, LOG_STRING, "protocol", o->spec->protocol->name, LOG_STRING,
            "address", o->spec->address.text, LOG_STRING, "model",
            link->protocol != NULL ? link->protocol->driver.model : o->spec->model, LOG_STRING,
            "reason", link->reason, LOG_INTEGER, "structures", (long long)link_structures(link),
            LOG_END);
}

static void set_state(struct link *link, enum link_state state) {
  if (link->state == state)
    return;
  link->state = state;
  link->options.changed(link->options.context, link);
}

/* Ends */

static void disconnect(struct link *link) {
  link->n_structures = link_structures(link);
  drive_free(link->drive);
  link->drive = NULL;
  link->sending = false;
  stream_close(link->stream);
  link->stream = NULL;
  protocol_free(link->protocol);
  link->protocol = NULL;
  stop_timer(link);
}

static void wait_to_connect(struct link *link) {
  link->pause_ms = link->pause_ms == 0                  ? PAUSE_FIRST_MS
                   : link->pause_ms < PAUSE_LAST_MS / 2 ? 2 * link->pause_ms
                                                        : PAUSE_LAST_MS;
  start_timer(link, link->pause_ms);
  set_state(link, LINK_WAITING);
}

/* The connection is over: connects again, or it was the last. */
static void end_connection(struct link *link, enum log_level level, const char *reason) {
  snprintf(link->reason, sizeof link->reason, "%s", reason);
  link->failed = level != LOG_INFO;
  log_link(link, level, "socket closed");
  const bool was_useful = drive_structures(link->drive) > 0;
  disconnect(link);
  if (was_useful)
    link->pause_ms = 0;
  if (link->draining || !link->options.spec->reconnects)
    set_state(link, LINK_CLOSED);
  else
    wait_to_connect(link);
}

/* An attempt failed: tries again, unless its time is over. Says so when the reason is a new one. */
static void retry(struct link *link, const char *reason) {
  const bool is_late =
      !link->options.spec->reconnects && uv_now(link->options.loop) - link->begun_ms >= PATIENCE_MS;
  const bool is_new = strcmp(link->reason, reason) != 0;
  snprintf(link->reason, sizeof link->reason, "%s", reason);
  link->failed = true;
  if (is_new || is_late)
    log_link(link, LOG_WARNING, is_late ? "socket gives up" : "socket cannot connect");
  disconnect(link);
  if (is_late || link->draining)
    set_state(link, LINK_CLOSED);
  else
    wait_to_connect(link);
}

/* Structures */

static void process(struct link *link);

/* The last word before the connection is closed, if the system takes it. */
static void send_last(struct link *link) {
  if (!link->sending)
    stream_send(link->stream, &link->protocol->out);
}

static void on_rest(void *context, enum driver_next next, const struct problem *problem) {
  struct link *link = context;
  char reason[sizeof link->reason];
  if (next == DRIVER_WAITS) {
    process(link);
  } else if (next == DRIVER_ENDS) {
    end_connection(link, LOG_INFO, "the driver has ended");
  } else {
    snprintf(reason, sizeof reason, "%s",
             problem != NULL ? problem->detail : link->protocol->driver.fault);
    send_last(link);
    end_connection(link, LOG_ERROR, reason);
  }
}

/* Bytes */

/* Watches for silence while the driver owes the rest of a message, or does not take its answer. */
static void watch(struct link *link) {
  const bool due = link->sending || (link->protocol->in_message && !link_is_computing(link));
  if (due && !link->watching) {
    start_timer(link, link->options.config->request_timeout_ms);
    link->watching = true;
  } else if (!due && link->watching) {
    stop_timer(link);
  }
}

/* Handles what the driver does next. false: there is nothing more to feed now. */
static bool handle(struct link *link, enum driver_next next) {
  switch (next) {
  case DRIVER_ASKS:
    stop_timer(link);
    drive_begin(link->drive);
    return false;
  case DRIVER_ENDS:
    end_connection(link, LOG_INFO, "the driver has ended");
    return false;
  case DRIVER_FAULT: {
    char reason[sizeof link->protocol->driver.fault];
    memcpy(reason, link->protocol->driver.fault, sizeof reason);
    end_connection(link, LOG_ERROR, reason);
    return false;
  }
  case DRIVER_WAITS:
    break;
  }
  return !link->sending;
}

/* Feeds the protocol as long as it takes bytes and the driver takes what it answers. */
static void process(struct link *link) {
  struct protocol *protocol = link->protocol;
  if (link_is_computing(link))
    return;
  if (link->sending) {
    watch(link);
    return;
  }
  link->sending = !stream_send(link->stream, &protocol->out);
  bool goes_on = !link->sending;
  while (goes_on) {
    size_t size, used = 0;
    const unsigned char *bytes = stream_bytes(link->stream, &size);
    if (size == 0)
      break;
    const size_t n_messages = protocol->n_messages;
    const enum driver_next next = protocol->kind->feed(protocol, bytes, size, &used);
    if (protocol->n_messages > n_messages && link->watching)
      stop_timer(link);
    link->sending = !stream_send(link->stream, &protocol->out);
    stream_take(link->stream, used);
    goes_on = handle(link, next);
  }
  if (!link->protocol || link_is_computing(link))
    return;
  if (link->draining && !link->sending && !link->protocol->owes)
    end_connection(link, LOG_INFO, "the daemon stops");
  else
    watch(link);
}

static void on_readable(void *context) {
  process(context);
}

static void on_sent(void *context) {
  struct link *link = context;
  link->sending = false;
  if (link->watching)
    stop_timer(link);
  process(link);
}

static void on_ended(void *context, const char *reason) {
  struct link *link = context;
  if (link->state == LINK_CONNECTING) {
    retry(link, reason[0] == '\0' ? "the connection was closed at once" : reason);
    return;
  }
  const bool in_order = reason[0] == '\0' && !link->protocol->in_message && !link->protocol->owes;
  char text[160];
  snprintf(text, sizeof text, "%s%s",
           reason[0] == '\0' ? "the driver has closed the connection" : reason,
           in_order                     ? ""
           : link_is_computing(link)    ? ", while its structures were computed"
           : link->protocol->in_message ? ", in the middle of a message"
                                        : "");
  end_connection(link, in_order ? LOG_INFO : LOG_WARNING, text);
}

static void on_connected(void *context) {
  struct link *link = context;
  link->reason[0] = '\0';
  link->failed = false;
  set_state(link, LINK_CONNECTED);
  log_link(link, LOG_INFO, "socket connected");
  process(link);
}

/* Connecting */

static struct protocol *make_protocol(const struct link *link) {
  const struct socket_spec *spec = link->options.spec;
  const struct protocol_settings settings = {.model = spec->model,
                                             .has_precision = spec->has_precision,
                                             .precision = spec->precision,
                                             .head = spec->head,
                                             .species = &spec->species,
                                             .max_atoms = link->options.config->max_atoms,
                                             .max_structures =
                                                 link->options.config->max_structures};
  return spec->protocol->new (&settings);
}

static struct drive *make_drive(struct link *link) {
  const struct drive_options options = {.loop = link->options.loop,
                                        .predictor = link->options.predictor,
                                        .driver = &link->protocol->driver,
                                        .rests = on_rest,
                                        .context = link};
  return drive_new(&options);
}

static void connect_now(struct link *link) {
  const struct stream_events events = {.context = link,
                                       .connected = on_connected,
                                       .readable = on_readable,
                                       .sent = on_sent,
                                       .ended = on_ended};
  link->protocol = make_protocol(link);
  link->drive = link->protocol != NULL ? make_drive(link) : NULL;
  if (link->drive != NULL)
    link->stream = stream_connect(link->options.loop, &link->options.spec->address, &events);
  if (!link->stream)
    retry(link, "no memory for the connection");
  else
    set_state(link, LINK_CONNECTING);
}

/* A program gets no connection whose model is not there yet. */
static bool model_is_loading(const struct link *link) {
  const struct served_model *served =
      registry_find(link->options.registry, link->options.spec->model);
  return served != NULL && served->state == MODEL_LOADING;
}

static void on_timer(uv_timer_t *timer) {
  struct link *link = timer->data;
  if (link->state == LINK_WAITING) {
    if (model_is_loading(link))
      start_timer(link, LOOK_MS);
    else
      connect_now(link);
  } else if (link->watching) {
    link->watching = false;
    end_connection(link, LOG_ERROR,
                   link->sending ? "the driver does not take its answer"
                                 : "the driver is silent in the middle of a message");
  }
}

/* Life */

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

struct link *link_new(const struct link_options *options) {
  struct link *link = calloc(1, sizeof *link);
  uv_timer_t *timer = calloc(1, sizeof *timer);
  if (!link || !timer) {
    free(link);
    free(timer);
    return NULL;
  }
  link->options = *options;
  link->timer = timer;
  link->begun_ms = uv_now(options->loop);
  uv_timer_init(options->loop, timer);
  timer->data = link;
  start_timer(link, 0);
  return link;
}

void link_free(struct link *link) {
  if (!link)
    return;
  disconnect(link);
  uv_close((uv_handle_t *)link->timer, free_handle);
  free(link);
}

void link_drain(struct link *link) {
  link->draining = true;
  if (link->state == LINK_CLOSED)
    return;
  if (link->state == LINK_CONNECTED) {
    if (!link_is_computing(link) && !link->sending && !link->protocol->owes)
      end_connection(link, LOG_INFO, "the daemon stops");
    return;
  }
  link_close(link);
}

void link_close(struct link *link) {
  link->draining = true;
  disconnect(link);
  set_state(link, LINK_CLOSED);
}
