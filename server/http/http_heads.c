#include "server/base/log.h"
#include "server/http/http_inside.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

void http_make_request_id(struct http_server *server, char id[HTTP_REQUEST_ID_SIZE]) {
  snprintf(id, HTTP_REQUEST_ID_SIZE, "%016llx-%llx", (unsigned long long)server->id_prefix,
           (unsigned long long)server->id_next++);
}

bool http_heads_watch(struct connection *connection, int fd) {
  struct http_server *server = connection->server;
  const size_t index = (size_t)fd;
  if (index >= server->n_fds) {
    const size_t n = 2 * index + 16;
    struct connection **larger = realloc(server->by_fd, n * sizeof(struct connection *));
    if (!larger)
      return false;
    for (size_t i = server->n_fds; i < n; i++)
      larger[i] = NULL;
    server->by_fd = larger;
    server->n_fds = n;
  }
  server->by_fd[index] = connection;
  return true;
}

void http_heads_forget(struct connection *connection, int fd) {
  struct http_server *server = connection->server;
  if (fd >= 0 && (size_t)fd < server->n_fds && server->by_fd[fd] == connection)
    server->by_fd[fd] = NULL;
}

/* The answer to a head, of which there is no exchange. */
static void answer_head(struct connection *connection) {
  const struct http_options *o = &connection->server->options;
  struct wire_request *request = &connection->request;
  struct problem problem;
  metrics_http_rejected(o->metrics, wire_problem(&connection->wire.fault, &problem));
  const char *method = http_method_label(request->method);
  metrics_http_request(o->metrics, "other", method, problem.status, 0.0);
  if (request->request_id[0] == '\0')
    http_make_request_id(connection->server, request->request_id);
  if (o->log_requests)
    log_write(LOG_INFO, "request", LOG_STRING, "request_id", request->request_id, LOG_STRING,
              "method", method, LOG_STRING, "path", request->path, LOG_INTEGER, "status",
              (long long)problem.status, LOG_NUMBER, "seconds", 0.0, LOG_END);
  connection->refused = true;
  http_answer_unread(connection, request->path, request->request_id, &problem, NULL);
  peer_deadline(connection->peer, LINGER_MS);
}

void http_heads_refuse(struct connection *connection) {
  const struct wire *wire = &connection->wire;
  struct exchange *x = connection->exchange;
  if (wire->state != WIRE_REFUSED || connection->refused || wire->n_heads != connection->n_begun)
    return;
  if (!x && !wire->in_body) {
    answer_head(connection);
  } else if (x != NULL && x->stage == STAGE_RECEIVING && wire->in_body) {
    struct problem problem;
    const char *reason = wire_problem(&wire->fault, &problem);
    connection->refused = true;
    http_refuse_unread(x, &problem, reason);
  }
}

static struct peer *peer_of(void *context, int fd) {
  const struct http_server *server = context;
  const struct connection *c = fd >= 0 && (size_t)fd < server->n_fds ? server->by_fd[fd] : NULL;
  return c != NULL ? c->peer : NULL;
}

static ssize_t receive(void *context, int fd, wire_read read, void *source, void *bytes,
                       size_t size) {
  const struct http_server *server = context;
  struct connection *connection = fd >= 0 && (size_t)fd < server->n_fds ? server->by_fd[fd] : NULL;
  if (!connection) { /* there was no memory for it: the library closes it */
    errno = ECONNRESET;
    return server->filter.tls ? GNUTLS_E_PULL_ERROR : -1;
  }
  const ssize_t n =
      wire_receive(&connection->wire, read, source, bytes, size, &connection->request);
  http_heads_refuse(connection);
  return n;
}

void http_heads_init(struct http_server *server) {
  server->filter = (struct quirks_filter){.tls = server->options.tls != NULL,
                                          .peer_of = peer_of,
                                          .receive = receive,
                                          .context = server};
}

void http_heads_fini(struct http_server *server) {
  free(server->by_fd);
}
