/* An HTTP server on a loop, and clients of it. */
#ifndef TESTS_UNIT_SUPPORT_HTTP_H
#define TESTS_UNIT_SUPPORT_HTTP_H

#include "server/base/pieces.h"
#include "server/http/http.h"
#include "server/http/listen.h"
#include "tests/unit/support_wait.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define BODY_MAX 100000

/* A server on a loop, whose handler echoes, or does what its path says: /keep the exchange, /take
 * or /return the body, answer in /pieces. */
struct fixture {
  uv_loop_t loop;
  struct metrics *metrics;
  struct http_server *server;
  uint16_t port;
  struct http_exchange *kept[4];
  char *taken; /* a body [n_taken] */
  size_t n_taken;
  struct ledger ledger;
  size_t n_kept, n_gone, n_quiet;
};

/* A client's socket and what it has got. */
struct client {
  int fd;
  bool ended;
  size_t size;
  char got[BODY_MAX + 4096];
};

static inline void reply_text(struct http_exchange *exchange, const char *text) {
  struct http_reply reply = {.status = 200, .content_type = "text/plain"};
  reply.body = strdup(text);
  reply.size = strlen(text);
  http_reply(exchange, &reply);
}

static inline void on_gone(void *context) {
  ((struct fixture *)context)->n_gone++;
}

/* Bodies are for those that name themselves. */
static inline bool admits(void *context, struct http_exchange *exchange, struct problem *problem) {
  (void)context;
  if (!exchange->authorization || strcmp(exchange->authorization, "no") != 0)
    return true;
  exchange->route = "/guarded";
  problem_set(problem, 401, "unauthorized", "no key", "", "A key is due.");
  return false;
}

/* An answer of letters in 256 pieces. */
static inline void reply_pieces(struct http_exchange *exchange) {
  static char letters[512];
  struct http_reply reply = {.status = 200, .content_type = "text/plain", .size = 256};
  memset(letters, 'p', sizeof letters);
  reply.pieces = pieces_new(256, 0);
  assert_non_null(reply.pieces);
  for (size_t i = 0; i < 256; i++)
    pieces_add(reply.pieces, letters + 2 * i, 1);
  http_reply(exchange, &reply);
}

/* Keeps the body for the test. */
static inline void take_body(struct fixture *f, struct http_exchange *exchange) {
  free(f->taken);
  f->taken = http_take_body(exchange);
  f->n_taken = exchange->size;
  assert_null(http_take_body(exchange));
  reply_text(exchange, "taken");
}

/* An answer that is the body itself. */
static inline void return_body(struct http_exchange *exchange) {
  struct http_reply reply = {.status = 200, .content_type = "text/plain", .size = exchange->size};
  reply.body = http_take_body(exchange);
  http_reply(exchange, &reply);
}

static inline void handle(void *context, struct http_exchange *exchange) {
  struct fixture *f = context;
  if (strcmp(exchange->path, "/keep") == 0) {
    exchange->gone = on_gone;
    exchange->gone_context = f;
    f->kept[f->n_kept++] = exchange;
    return;
  }
  if (strcmp(exchange->path, "/pieces") == 0) {
    reply_pieces(exchange);
    return;
  }
  if (strcmp(exchange->path, "/take") == 0) {
    take_body(f, exchange);
    return;
  }
  if (strcmp(exchange->path, "/return") == 0) {
    return_body(exchange);
    return;
  }
  char *text = malloc(exchange->size + 256);
  assert_non_null(text);
  const int n = snprintf(text, 256, "%s %s %s %s %s|", exchange->method, exchange->path,
                         !exchange->content_type ? "-" : exchange->content_type,
                         !exchange->accept ? "-" : exchange->accept, exchange->request_id);
  memcpy(text + n, exchange->body, exchange->size);
  text[(size_t)n + exchange->size] = '\0';
  reply_text(exchange, text);
  free(text);
}

/* send_buffer: of its connections; 0: the system's. */
static inline void begin_with(struct fixture *f, uint64_t timeout_ms, int send_buffer) {
  struct listener listener;
  unsigned port = 0;
  memset(f, 0, sizeof *f);
  assert_int_equal(uv_loop_init(&f->loop), 0);
  f->metrics = metrics_new("own");
  assert_non_null(f->metrics);
  assert_int_equal(listener_open(&listener, "127.0.0.1:0", false, NULL), IRREP_OK);
  assert_int_equal(sscanf(listener.url, "http://127.0.0.1:%u", &port), 1);
  f->port = (uint16_t)port;
  if (send_buffer > 0)
    setsockopt(listener.fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  ledger_init(&f->ledger, 0, 0, 2 * BODY_MAX);
  const struct http_options options = {.listen_fd = listener.fd,
                                       .max_body_bytes = BODY_MAX,
                                       .ledger = &f->ledger,
                                       .max_connections = 4,
                                       .request_timeout_ms = timeout_ms,
                                       .metrics = f->metrics,
                                       .admits = admits,
                                       .handler = handle,
                                       .context = f};
  f->server = http_start(&f->loop, &options);
  assert_non_null(f->server);
}

static inline void begin(struct fixture *f, uint64_t timeout_ms) {
  begin_with(f, timeout_ms, 0);
}

static inline void end(struct fixture *f) {
  http_stop(f->server);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  metrics_free(f->metrics);
}

/* receive_buffer: 0 for the system's. */
static inline void dial_with(const struct fixture *f, struct client *client, int receive_buffer) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(f->port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  client->size = 0;
  client->ended = false;
  client->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (receive_buffer > 0)
    setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  assert_int_equal(connect(client->fd, (const struct sockaddr *)&to, sizeof to), 0);
}

static inline void dial(const struct fixture *f, struct client *client) {
  dial_with(f, client, 0);
}

static inline void tell(const struct client *client, const char *text) {
  assert_int_equal(send(client->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Takes what has come for the client, without waiting. */
static inline void take(struct client *client) {
  const ssize_t n = recv(client->fd, client->got + client->size,
                         sizeof client->got - 1 - client->size, MSG_DONTWAIT);
  client->ended = client->ended || n == 0;
  client->size += n > 0 ? (size_t)n : 0;
  client->got[client->size] = '\0';
}

static inline void turn(struct fixture *f) {
  uv_run(&f->loop, UV_RUN_NOWAIT);
  usleep(200);
}

static inline void turn_for(struct fixture *f, int ms) {
  const uint64_t end = uv_hrtime() + (uint64_t)ms * 1000000;
  while (uv_hrtime() < end)
    turn(f);
}

/* Takes what comes for the client; whether it has ended. */
static inline bool ended(struct client *client) {
  take(client);
  return client->ended;
}

/* Takes what comes for the client; whether that holds word. */
static inline bool has(struct client *client, const char *word) {
  take(client);
  const bool found = strstr(client->got, word);
  if (!found && client->ended)
    fail_msg("no \"%s\" in: %s", word, client->got);
  return found;
}

/* Runs the loop until the client has got text that contains word; then forgets what it has got. */
static inline void expect(struct fixture *f, struct client *client, const char *word) {
  WAIT_FOR(&f->loop, has(client, word));
}

static inline void forget(struct client *client) {
  client->size = 0;
}

static inline void expect_end(struct fixture *f, struct client *client) {
  WAIT_FOR(&f->loop, ended(client));
  close(client->fd);
}

static inline void keep(struct fixture *f, struct client *c) {
  const size_t before = f->n_kept;
  dial(f, c);
  tell(c, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
  WAIT_FOR(&f->loop, f->n_kept > before);
}

static inline void on_quiet(void *context) {
  ((struct fixture *)context)->n_quiet++;
}

static inline double metric(const struct fixture *f, const char *series) {
  size_t size = 0;
  char *text = metrics_render(f->metrics, &size);
  assert_non_null(text);
  const char *line = strstr(text, series);
  const double value = !line ? 0 : strtod(line + strlen(series), NULL);
  free(text);
  return value;
}

#endif
