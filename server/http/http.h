/* HTTP/1.1 on the loop: libmicrohttpd embedded by its epoll descriptor, behind exchanges of one
 * request and one answer.
 *
 * Routes see whole requests only. Whatever is wrong before that is answered here, by a problem
 * object: framing (400), slow headers or bodies (408), bodies (413) and headers (431) beyond their
 * bounds. Everything happens on the loop thread. */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include "server/base/metrics.h"
#include "server/base/problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http_server;
struct http_exchange;

/* A header field; both static, or valid until http_reply returns. */
struct http_field {
  const char *name, *value;
};

struct http_reply {
  int status;
  const char *content_type; /* static */
  char *body;               /* [size] malloc'ed; http_reply takes it */
  size_t size;
  struct pieces *pieces;           /* [size] instead of body; taken too */
  int retry_after_s;               /* Retry-After; 0: none */
  size_t inference_header_size;    /* Inference-Header-Content-Length; 0: none */
  const char *allow;               /* Allow, static; NULL: none */
  const char *cache_control;       /* static; NULL: no-store */
  const struct http_field *fields; /* [n_fields], more of them */
  size_t n_fields;
};

/* One request. Fields are for routes to read on the loop thread, until they reply or are told that
 * the client has gone; route and gone are theirs to set. */
struct http_exchange {
  const char *method;
  const char *path;         /* decoded, without the query */
  const char *accept;       /* of all such fields; NULL: none */
  const char *content_type; /* these seven: NULL where there is no such field, "" where there are
                               several */
  const char *content_encoding;
  const char *authorization;
  const char *inference_header_length;
  const char *if_none_match;
  const char *origin;
  const char *host;
  bool forwarded; /* by a proxy, as Forwarded, X-Forwarded-... or Via tell: who asks is not known */
  const char *body; /* [size]; until the handler returns, unless it takes the body */
  size_t size;
  const char *request_id;
  const char *client;          /* address of the other side, "unix", or the name of its key */
  bool local;                  /* it is on this machine */
  const char *route;           /* template for the metrics, static; "other" until set */
  void (*gone)(void *context); /* called when the client leaves before the reply; then no reply is
                                  taken any more */
  void *gone_context;
  /* Private */
  char *body_memory; /* what http_take_body gives */
  void (*send)(struct http_exchange *exchange, struct http_reply *reply);
};

/* Answers an exchange, exactly once, inside the handler or later; takes reply->body. The exchange
 * is invalid afterwards. */
static inline void http_reply(struct http_exchange *exchange, struct http_reply *reply) {
  exchange->send(exchange, reply);
}

/* Inside the handler: the body, malloc'ed [size], is the caller's from now on; NULL when it is
 * empty or has been taken. */
static inline char *http_take_body(struct http_exchange *exchange) {
  char *body = exchange->body_memory;
  exchange->body_memory = NULL;
  return body;
}

/* Answers with a problem object. */
void http_reply_problem(struct http_exchange *exchange, const struct problem *problem,
                        const char *allow);

struct http_options {
  int listen_fd; /* taken */
  size_t max_body_bytes, max_receiving_bytes, max_connections;
  size_t max_connections_address; /* of one IP address; 0: no bound */
  uint64_t request_timeout_ms;
  struct tls *tls; /* outlives the server; NULL: plain HTTP */
  bool log_requests;
  struct metrics *metrics;
  /* Called when a request has a body, before that is read; false: refused, for the problem that it
   * fills. It does not reply. */
  bool (*admits)(void *context, struct http_exchange *exchange, struct problem *problem);
  /* Called with each complete request. */
  void (*handler)(void *context, struct http_exchange *exchange);
  void *context;
};

/* Starts to accept and serve; options are copied. NULL when the system gives no memory or
 * descriptors (listen_fd is closed then too). */
struct http_server *http_start(uv_loop_t *loop, const struct http_options *options);

/* Takes over max_body_bytes, max_receiving_bytes and log_requests, for what comes from now on. */
void http_set_limits(struct http_server *server, const struct http_options *options);

size_t http_connections(const struct http_server *server);

/* Closes each connection after its next answer, from now on. */
void http_drain(struct http_server *server);

/* Ends in order, so that no request is lost that a client has sent: refuses new connections,
 * accepts those that wait already, answers what comes on connections, and closes each after its
 * answer. Those without a request are closed after grace_ms: a client may be about to send one.
 * Calls done once, when every request that has arrived is answered and no such connection is left;
 * maybe at once. May be called again, with another grace. */
void http_quiesce(struct http_server *server, uint64_t grace_ms, void (*done)(void *context),
                  void *context);

/* Tells every waiting exchange that its client has gone, and answers it by 503. */
void http_abandon(struct http_server *server);

/* Closes all connections; nothing may wait for a reply. The memory goes when the loop has run its
 * closing callbacks. */
void http_stop(struct http_server *server);

#endif
