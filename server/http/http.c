#include "server/http/http_fields.h"
#include "server/http/http_inside.h"
#include "server/http/http_text.h"
#include "server/http/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#define CONNECTION_MEMORY (64u * 1024) /* libmicrohttpd's, headers and upload window */
#define GONE_MS 100 /* for bytes that were sent before the client closed its side */

static struct connection *connection_of(struct MHD_Connection *mhd) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

/* Requests */

static enum MHD_Result on_field(void *context, enum MHD_ValueKind kind, const char *name,
                                size_t name_size, const char *value, size_t value_size) {
  struct exchange *x = context;
  (void)kind, (void)name_size, (void)value_size;
  value = value ? value : "";
  http_framing_field(&x->facts.framing, name, value);
  if (http_fields_keep(&x->public, name, value))
    return MHD_YES;
  if (strcasecmp(name, "accept") == 0)
    http_accept_add(x->accept, sizeof x->accept, value);
  else if (strcasecmp(name, "accept-encoding") == 0)
    http_accept_add(x->accept_encoding, sizeof x->accept_encoding, value);
  else if (strcasecmp(name, "x-request-id") == 0 && http_request_id_valid(value))
    snprintf(x->request_id, sizeof x->request_id, "%s", value);
  else if (strcasecmp(name, "traceparent") == 0 && http_traceparent_valid(value))
    snprintf(x->traceparent, sizeof x->traceparent, "%s", value);
  return MHD_YES;
}

/* Routes see a coded body as it was before, when its coding is known. false: without memory. */
static bool begin_body(struct exchange *x) {
  x->coding = http_coding_of(x->public.content_encoding);
  if (x->coding != CODING_GZIP && x->coding != CODING_ZSTD)
    return true;
  x->public.content_encoding = NULL;
  if (!http_body_comes(x))
    return true;
  x->decoder = http_decoder_new(x->coding);
  x->connection->server->n_coding += x->decoder != NULL;
  return x->decoder != NULL;
}

static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *mhd,
                             const char *target, const char *method, void **slot) {
  struct connection *connection = connection_of(mhd);
  struct exchange *x = !connection ? NULL : calloc(1, sizeof *x);
  if (!x)
    return MHD_NO;
  x->connection = connection;
  x->begun_ns = uv_hrtime();
  x->public = (struct http_exchange){.method = method,
                                     .path = x->path,
                                     .request_id = x->request_id,
                                     .client = connection->name,
                                     .local = connection->local,
                                     .route = "other",
                                     .send = http_answer,
                                     .wake = http_stream_wake};
  *slot = connection->exchange = x;
  connection->n_begun++;
  server->n_exchanges++;
  MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_field, x);
  x->public.query_from = MHD_lookup_connection_value(mhd, MHD_GET_ARGUMENT_KIND, "from");
  if (x->accept[0] != '\0')
    x->public.accept = x->accept;
  if (x->accept_encoding[0] != '\0')
    x->public.accept_encoding = x->accept_encoding;
  if (x->request_id[0] == '\0')
    http_make_request_id(server, x->request_id);
  x->facts.target = target;
  struct problem problem;
  const char *reason = http_judge(&x->facts, http_body_most(&server->budget), x->path, &problem);
  if (!reason && http_body_comes(x) &&
      !server->options.admits(server->options.context, &x->public, &problem))
    reason = "key";
  if (!reason && !begin_body(x)) {
    http_problem_bodies(&problem, ledger_part(server->budget.ledger, LEDGER_BODIES));
    reason = "memory";
  }
  if (reason != NULL)
    return http_refuse_head(x, &problem, reason);
  peer_deadline(connection->peer, server->options.request_timeout_ms);
  http_heads_refuse(connection);
  return MHD_YES;
}

static void refuse_for_memory(struct exchange *x) {
  const struct http_server *server = x->connection->server;
  struct problem problem;
  http_problem_bodies(&problem, ledger_part(server->budget.ledger, LEDGER_BODIES));
  http_refuse_unread(x, &problem, "memory");
}

/* Why a coded body is not taken; the reason for metrics_http_rejected. */
static const char *judge_coded(const struct exchange *x, enum http_taken taken,
                               struct problem *problem) {
  const struct http_budget *budget = &x->connection->server->budget;
  if (taken == HTTP_TAKEN_LARGE) {
    http_problem_body(problem, http_body_most(budget));
    return "body";
  }
  if (taken == HTTP_TAKEN_NO_MEMORY) {
    http_problem_bodies(problem, ledger_part(budget->ledger, LEDGER_BODIES));
    return "memory";
  }
  http_decode_problem(x, problem);
  return "encoding";
}

static size_t receive_coded(struct exchange *x, const char *bytes, size_t size) {
  struct problem problem;
  size_t left = 0;
  const enum http_taken taken = http_decode(x, bytes, size, &left);
  if (taken == HTTP_TAKEN || taken == HTTP_TAKEN_LATER)
    return left;
  const char *reason = judge_coded(x, taken, &problem);
  http_refuse_unread(x, &problem, reason);
  return 0;
}

/* At the end of a coded body: what its decoder still holds. Whether that is all, and the request is
 * to be handled; otherwise it is answered, or goes on later. */
static bool take_rest(struct exchange *x) {
  struct problem problem;
  size_t left = 0;
  const enum http_taken taken = http_decode(x, NULL, 0, &left);
  if (taken == HTTP_TAKEN_LATER)
    return false;
  const bool is_whole = taken == HTTP_TAKEN && http_decoder_is_whole(x->decoder);
  if (!is_whole) {
    metrics_http_rejected(x->connection->server->options.metrics, judge_coded(x, taken, &problem));
    http_reply_problem(&x->public, &problem, NULL);
  }
  http_decode_end(x);
  return is_whole;
}

/* Returns how many of the bytes are left for later. */
static size_t receive(struct exchange *x, const char *bytes, size_t size) {
  const struct http_server *server = x->connection->server;
  struct problem problem;
  if (x->stage != STAGE_RECEIVING)
    return 0;
  if (x->decoder)
    return receive_coded(x, bytes, size);
  switch (http_line_make_room(x, size)) {
  case HTTP_ROOM:
    http_body_append(&x->body, bytes, size);
    return 0;
  case HTTP_ROOM_LATER:
    http_line_wait(x);
    return size;
  case HTTP_ROOM_NEVER:
    http_problem_body(&problem, http_body_most(&server->budget));
    http_refuse_unread(x, &problem, "body");
    return 0;
  case HTTP_ROOM_NO_MEMORY:
    break;
  }
  refuse_for_memory(x);
  return 0;
}

/* The client does not wait for this exchange any more. */
static void leave(struct exchange *x) {
  http_line_leave(x);
  x->stage = STAGE_GONE;
  if (x->public.gone != NULL)
    x->public.gone(x->public.gone_context);
  http_resume(x->connection);
}

/* The request is complete: hands it to the routes, and waits when they have not replied. */
static enum MHD_Result handle(struct exchange *x) {
  struct connection *connection = x->connection;
  const struct http_options *o = &connection->server->options;
  peer_deadline(connection->peer, 0);
  http_line_leave(x);
  x->stage = STAGE_HANDLED;
  http_body_trim(&x->body, &connection->server->budget);
  x->public.body = x->body.bytes != NULL ? x->body.bytes : "";
  x->public.size = x->body.size;
  x->public.body_memory = x->body.bytes;
  o->handler(o->context, &x->public);
  x->body.bytes = x->public.body_memory; /* NULL when the handler has taken it */
  http_body_drop(&x->body, &connection->server->budget);
  x->public.body = x->public.body_memory = NULL;
  if (x->stage == STAGE_REPLIED)
    return http_answer_queue(x);
  x->stage = STAGE_WAITING;
  MHD_suspend_connection(connection->mhd);
  if (connection->client_gone || (connection->client_ended && !peer_probe(connection->peer)))
    leave(x);
  return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *target,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **slot) {
  struct exchange *x = *slot;
  (void)version;
  if (!x)
    return begin(context, mhd, target, method, slot);
  if (*upload_size > 0) {
    *upload_size = receive(x, upload, *upload_size);
    return MHD_YES;
  }
  switch (x->stage) {
  case STAGE_RECEIVING:
    if (!x->decoder || take_rest(x))
      return handle(x);
    return x->stage == STAGE_REPLIED ? http_answer_queue(x) : MHD_YES;
  case STAGE_REPLIED:
    return http_answer_queue(x);
  default: /* lingering or gone: nothing more is said */
    return MHD_NO;
  }
}

/* Connections */

static void on_late(void *context) {
  struct connection *connection = context;
  struct http_server *server = connection->server;
  struct exchange *x = connection->exchange;
  struct problem problem;
  if (x != NULL && x->stage == STAGE_IN_LINE) {
    refuse_for_memory(x);
    return;
  }
  http_problem_late(&problem, server->options.request_timeout_ms);
  if (x != NULL && x->stage == STAGE_RECEIVING) {
    http_refuse_unread(x, &problem, "timeout");
    return;
  }
  /* Half a head is held back from the library. */
  if (!x && !connection->refused &&
      (connection->wire.used > 0 || peer_has_sent(connection->peer))) {
    metrics_http_rejected(server->options.metrics, "timeout");
    http_answer_unread(connection, "", "-", &problem, NULL);
  }
  peer_hang_up(connection->peer);
}

/* Whether there is nothing of another request: in the socket, held back, or in the library. */
static bool all_is_read(const struct connection *connection) {
  return connection->wire.used == 0 && connection->wire.n_heads == connection->n_begun &&
         !peer_has_unread(connection->peer);
}

/* libmicrohttpd misses an end that comes together with the last bytes. */
static void await_rest(struct connection *connection) {
  if (all_is_read(connection))
    peer_hang_up(connection->peer);
  else
    peer_deadline(connection->peer, GONE_MS);
}

/* What has not arrived by then never will; what waits is wanted by those who still read. */
static void on_ended(void *context) {
  struct connection *connection = context;
  struct exchange *x = connection->exchange;
  connection->client_ended = true;
  if (x != NULL && x->stage == STAGE_WAITING) {
    if (!peer_probe(connection->peer))
      leave(x);
  } else if (x != NULL && x->stage == STAGE_STREAMING) {
    http_stream_probe(x);
  } else if (!x || x->stage == STAGE_RECEIVING) {
    await_rest(connection);
  }
}

/* The library misses that, too, while it is suspended. */
static void on_gone(void *context) {
  struct connection *connection = context;
  struct exchange *x = connection->exchange;
  connection->client_gone = true;
  if (x != NULL && (x->stage == STAGE_WAITING || x->stage == STAGE_IN_LINE))
    leave(x);
  else if (x != NULL && x->stage == STAGE_STREAMING)
    http_stream_break(x);
  else if (!x || x->stage == STAGE_RECEIVING)
    peer_hang_up(connection->peer);
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **slot,
                         enum MHD_RequestTerminationCode how) {
  struct http_server *server = context;
  struct exchange *x = *slot;
  (void)mhd, (void)how;
  if (!x)
    return;
  struct connection *connection = x->connection;
  *slot = NULL;
  http_stream_close(x);
  http_encode_end(x);
  http_line_leave(x);
  http_decode_end(x);
  http_body_drop(&x->body, &server->budget);
  ledger_give(server->budget.ledger, LEDGER_ANSWERS, x->answer_bytes);
  if (x->response != NULL)
    MHD_destroy_response(x->response);
  free(x);
  connection->exchange = NULL;
  server->n_exchanges--;
  peer_mark(connection->peer);
  peer_deadline(connection->peer, server->options.request_timeout_ms);
  if (http_end_is_due(server) || connection->client_gone) {
    peer_hang_up(connection->peer);
    return;
  }
  http_heads_refuse(connection);
  if (connection->client_ended && !connection->refused)
    await_rest(connection);
}

/* Its TLS session, which shows our certificate from now on; NULL where there is none. */
static gnutls_session_t session_of(struct http_server *server, struct MHD_Connection *mhd) {
  const union MHD_ConnectionInfo *info =
      !server->options.tls ? NULL
                           : MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  if (!info)
    return NULL;
  tls_attach(server->options.tls, info->tls_session);
  return info->tls_session;
}

static int descriptor_of(struct MHD_Connection *mhd) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

static struct connection *connection_new(struct http_server *server, struct MHD_Connection *mhd) {
  const int fd = descriptor_of(mhd);
  struct connection *connection = fd < 0 ? NULL : calloc(1, sizeof *connection);
  if (!connection)
    return NULL;
  const struct peer_events events = {on_late, on_ended, on_gone, connection};
  connection->peer = peer_new(server->loop, fd, session_of(server, mhd), &events);
  wire_init(&connection->wire);
  connection->server = server;
  if (!connection->peer || !http_heads_watch(connection, fd)) {
    peer_free(connection->peer);
    free(connection);
    return NULL;
  }
  connection->local = peer_name(fd, connection->name);
  connection->mhd = mhd;
  connection->next = server->connections;
  connection->link = &server->connections;
  if (connection->next != NULL)
    connection->next->link = &connection->next;
  server->connections = connection;
  server->n_connections++;
  peer_deadline(connection->peer, server->options.request_timeout_ms);
  return connection;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **slot,
                          enum MHD_ConnectionNotificationCode event) {
  struct http_server *server = context;
  struct connection *connection = *slot;
  if (event == MHD_CONNECTION_NOTIFY_STARTED) {
    *slot = connection_new(server, mhd); /* NULL: begin closes it */
    return;
  }
  if (!connection)
    return;
  http_heads_forget(connection, descriptor_of(mhd));
  wire_fini(&connection->wire);
  peer_free(connection->peer);
  *connection->link = connection->next;
  if (connection->next != NULL)
    connection->next->link = connection->link;
  server->n_connections--;
  server->runs_again = true;
  free(connection);
  *slot = NULL;
}

/* The loop */

static void run(struct http_server *server) {
  server->turn++;
  http_line_run(server);
  int64_t milliseconds = quirks_run(server->mhd, &server->filter, &server->runs_again);
  if (http_line_run(server))
    milliseconds = 0;
  if (milliseconds >= 0)
    http_run_in(server, (uint64_t)milliseconds);
  else
    uv_timer_stop(&server->timer);
  http_end_run(server); /* may stop the server */
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  (void)status, (void)events;
  run(poll->data);
}

static struct MHD_Daemon *start_daemon(struct http_server *server) {
  const struct http_options *o = &server->options;
  struct MHD_OptionItem encryption[] = {
      {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
      {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_retrieve},
      {MHD_OPTION_END, 0, NULL}};
  /* Ours come first; this one ends clients that do not read their answers. */
  const unsigned timeout_s = (unsigned)(o->request_timeout_ms / 1000) + 2;
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (o->tls != NULL ? MHD_USE_TLS : 0u), 0, NULL, NULL,
      on_request, server, MHD_OPTION_ARRAY, o->tls != NULL ? encryption : encryption + 2,
      MHD_OPTION_LISTEN_SOCKET, o->listen_fd, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
      (unsigned)o->max_connections_address, MHD_OPTION_CONNECTION_TIMEOUT, timeout_s,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
      on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
      MHD_OPTION_UNESCAPE_CALLBACK, quirks_leave_escaped, server, MHD_OPTION_END);
}

static void on_freed(void *context) {
  http_run_in(context, 0);
}

struct http_server *http_start(uv_loop_t *loop, const struct http_options *options) {
  struct http_server *server = calloc(1, sizeof *server);
  if (!server) {
    close(options->listen_fd);
    return NULL;
  }
  server->options = *options;
  server->budget =
      (struct http_budget){.max_body_bytes = options->max_body_bytes, .ledger = options->ledger};
  server->waiter = (struct ledger_waiter){.freed = on_freed, .context = server};
  http_line_init(server);
  server->loop = loop;
  server->run = run;
  server->poll.data = server->timer.data = server->grace.data = server->idle.data = server;
  http_heads_init(server);
  if (getrandom(&server->id_prefix, sizeof server->id_prefix, GRND_NONBLOCK) < 0)
    server->id_prefix = uv_hrtime();
  server->mhd = start_daemon(server);
  if (!server->mhd) {
    close(options->listen_fd);
    free(server);
    return NULL;
  }
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
  if (!info || uv_poll_init(loop, &server->poll, info->epoll_fd) != 0) {
    MHD_stop_daemon(server->mhd);
    http_heads_fini(server);
    free(server);
    return NULL;
  }
  ledger_listen(server->budget.ledger, &server->waiter);
  uv_timer_init(loop, &server->timer);
  uv_timer_init(loop, &server->grace);
  uv_idle_init(loop, &server->idle);
  server->handles_open = 4;
  uv_poll_start(&server->poll, UV_READABLE, on_poll);
  run(server);
  return server;
}

void http_set_limits(struct http_server *server, const struct http_options *options) {
  server->options.log_requests = options->log_requests;
  server->options.compress_above = options->compress_above;
  server->budget.max_body_bytes = options->max_body_bytes;
}

size_t http_connections(const struct http_server *server) {
  return server->n_connections;
}

static void on_closed(uv_handle_t *handle) {
  struct http_server *server = handle->data;
  if (--server->handles_open > 0)
    return;
  http_heads_fini(server);
  free(server);
}

void http_stop(struct http_server *server) {
  http_end_accepting(server);
  uv_close((uv_handle_t *)&server->poll, on_closed);
  uv_close((uv_handle_t *)&server->grace, on_closed);
  uv_close((uv_handle_t *)&server->timer, on_closed);
  uv_close((uv_handle_t *)&server->idle, on_closed);
  MHD_stop_daemon(server->mhd);
  ledger_forget(server->budget.ledger, &server->waiter);
}
