/* HTTP/1.1 on the loop: libmicrohttpd embedded by its epoll descriptor, behind exchanges of one
 * request and one answer.
 *
 * Routes see whole requests only. Whatever is wrong before that is answered here, by a problem
 * object: framing (400), slow headers or bodies (408), bodies (413) and headers (431) beyond their
 * bounds. Bodies in gzip and zstd are decoded as they arrive, within the same bounds, and answers
 * coded as they leave, both in turns of the loop that are bounded. Everything happens on the loop
 * thread. */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include "server/base/ledger.h"
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

/* A body that comes bit by bit. */
#define HTTP_STREAM_END SIZE_MAX
struct http_stream {
  /* Copies the next bytes, at most `size`, and returns how many. 0: there are none now; http_wake
   * is called when there are. HTTP_STREAM_END: that was all. NULL: the reply is no stream. */
  size_t (*read)(void *context, char *bytes, size_t size);
  /* The last call: all has been sent, or the client has gone. The exchange is invalid afterwards.
   */
  void (*closed)(void *context);
  void *context;
};

struct http_reply {
  int status;
  const char *content_type; /* static */
  char *body;               /* [size] malloc'ed; http_reply takes it */
  size_t size;
  struct pieces *pieces;           /* [size] instead of body; taken too */
  struct http_stream stream;       /* instead of both; of no size */
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
  const char *path;            /* decoded, without the query */
  const char *accept;          /* of all such fields; NULL: none */
  const char *accept_encoding; /* the same */
  const char *content_type;    /* these eight: NULL where there is no such field, "" where there are
                                  several */
  const char *content_encoding; /* of the body as it is here: NULL where it was known, and undone */
  const char *authorization;
  const char *inference_header_length;
  const char *if_none_match;
  const char *origin;
  const char *host;
  const char *prefer;
  const char *query_from; /* the value of from=K in the query; NULL: there is none */
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
  void (*wake)(struct http_exchange *exchange);
};

/* Answers an exchange, exactly once, inside the handler or later; takes reply->body. The exchange
 * is invalid afterwards, but with a stream: then when that is closed, and gone is not called. */
static inline void http_reply(struct http_exchange *exchange, struct http_reply *reply) {
  exchange->send(exchange, reply);
}

/* The stream that an exchange was answered with has bytes, or its end, to be read. Not to be called
 * from its read. A client that takes nothing for the time of a request is let go. */
static inline void http_wake(struct http_exchange *exchange) {
  exchange->wake(exchange);
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

/* The same with other header fields [n_fields]. */
void http_reply_problem_with(struct http_exchange *exchange, const struct problem *problem,
                             const struct http_field *fields, size_t n_fields);

struct http_options {
  int listen_fd; /* taken */
  size_t max_body_bytes, max_connections;
  size_t compress_above;          /* answers of more bytes are coded for clients that accept it */
  size_t max_connections_address; /* of one IP address; 0: no bound */
  uint64_t request_timeout_ms;
  struct tls *tls; /* outlives the server; NULL: plain HTTP */
  bool log_requests;
  const char *cors_origins; /* whose pages may read answers (origins.h); outlives the server */
  struct metrics *metrics;
  struct ledger *ledger; /* whom bodies and answers take memory from */
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

/* Takes over max_body_bytes, compress_above and log_requests, for what comes from now on. */
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

/* Tells every waiting exchange that its client has gone, and answers it by 503; breaks off streams.
 */
void http_abandon(struct http_server *server);

/* Closes all connections; nothing may wait for a reply. The memory goes when the loop has run its
 * closing callbacks. */
void http_stop(struct http_server *server);

#endif
