#include "server/base/log.h"
#include "server/base/origins.h"
#include "server/http/http_inside.h"
#include "server/http/http_response.h"
#include "server/http/http_text.h"
#include "server/http/quirks.h"

#include <string.h>

/* Bytes a millisecond that a client has to take of an answer, beside the time for a request. */
#define ANSWER_RATE 64

static void account(const struct exchange *x, int status) {
  const struct http_options *o = &x->connection->server->options;
  const double seconds = (double)(uv_hrtime() - x->begun_ns) * 1e-9;
  const char *method = http_method_label(x->public.method);
  metrics_http_request(o->metrics, x->public.route, method, status, seconds);
  if (o->log_requests)
    log_write(LOG_INFO, "request", LOG_STRING, "request_id", x->request_id, LOG_STRING, "method",
              method, LOG_STRING, "path", x->path, LOG_INTEGER, "status", (long long)status,
              LOG_NUMBER, "seconds", seconds, x->traceparent[0] != '\0' ? LOG_STRING : LOG_END,
              "traceparent", x->traceparent, LOG_END);
}

/* The page's origin, when it may read the answer; NULL otherwise. */
static const char *shared_origin(const struct exchange *x) {
  const char *origin = x->public.origin;
  return origins_have(x->connection->server->options.cors_origins, origin) ? origin : NULL;
}

/* The response of a reply, as a page of another origin may read it if that is one of the options';
 * NULL without memory. Caches tell such answers apart. */
static struct MHD_Response *make_response(struct exchange *x, struct http_reply *reply) {
  const struct http_server *server = x->connection->server;
  const char *origins = server->options.cors_origins, *origin = shared_origin(x);
  const bool is_coded = x->coded != NULL;
  struct MHD_Response *response =
      is_coded ? http_encode_response(x, reply, server->draining)
               : http_response(reply, x->request_id, server->draining,
                               reply->stream.read ? http_stream_read : NULL, x);
  if (response && (is_coded || reply->stream.read) && strcmp(x->public.method, "HEAD") == 0)
    quirks_head_of_stream(response);
  if (response && http_encode_varies(x, reply) &&
      MHD_add_response_header(response, "Vary", "Accept-Encoding") != MHD_YES) {
    MHD_destroy_response(response);
    return NULL;
  }
  if (!response || !origins || origins[0] == '\0')
    return response;
  if (MHD_add_response_header(response, "Vary", "Origin") == MHD_YES &&
      (!origin || http_response_share(response, origin)))
    return response;
  MHD_destroy_response(response);
  return NULL;
}

void http_answer(struct http_exchange *exchange, struct http_reply *reply) {
  struct exchange *x = (struct exchange *)exchange;
  struct http_server *server = x->connection->server;
  const bool waiting = x->stage == STAGE_WAITING;
  x->status = reply->status;
  x->stream = reply->stream;
  const enum http_coding coding = http_encode_choose(x, reply);
  const bool is_coded = coding != CODING_IDENTITY && http_encode_begin(x, coding);
  x->response = make_response(x, reply);
  x->answer_bytes = !x->response ? 0 : reply->size + (is_coded ? http_encoder_bytes(coding) : 0);
  ledger_add(server->budget.ledger, LEDGER_ANSWERS, x->answer_bytes);
  x->stage = STAGE_REPLIED;
  account(x, x->status);
  if (waiting)
    http_resume(x->connection);
}

static void reply_problem(struct http_exchange *exchange, const struct problem *problem,
                          struct http_reply reply) {
  reply.status = problem->status;
  reply.content_type = "application/problem+json";
  reply.retry_after_s = problem->retry_after_s;
  reply.body = problem_render(problem, http_names_error(exchange->path), &reply.size);
  http_reply(exchange, &reply);
}

void http_reply_problem(struct http_exchange *exchange, const struct problem *problem,
                        const char *allow) {
  reply_problem(exchange, problem, (struct http_reply){.allow = allow});
}

void http_reply_problem_with(struct http_exchange *exchange, const struct problem *problem,
                             const struct http_field *fields, size_t n_fields) {
  reply_problem(exchange, problem, (struct http_reply){.fields = fields, .n_fields = n_fields});
}

enum MHD_Result http_answer_queue(struct exchange *x) {
  const struct connection *connection = x->connection;
  if (!x->response)
    return MHD_NO;
  if (x->stream.read)
    x->stage = STAGE_STREAMING;
  peer_deadline(connection->peer, x->stream.read ? 0
                                                 : connection->server->options.request_timeout_ms +
                                                       x->answer_bytes / ANSWER_RATE);
  return MHD_queue_response(connection->mhd, (unsigned)x->status, x->response);
}

void http_answer_unread(struct connection *connection, const char *path, const char *request_id,
                        const struct problem *problem, const char *origin) {
  char text[4096];
  const size_t size = http_format_problem(text, sizeof text, problem, path, request_id, origin);
  peer_last_words(connection->peer, text, size);
}

void http_refuse_unread(struct exchange *x, const struct problem *problem, const char *reason) {
  metrics_http_rejected(x->connection->server->options.metrics, reason);
  account(x, problem->status);
  http_answer_unread(x->connection, x->path, x->request_id, problem, shared_origin(x));
  const bool waits = x->stage == STAGE_IN_LINE;
  http_line_leave(x);
  http_decode_end(x);
  http_body_drop(&x->body, &x->connection->server->budget);
  x->stage = STAGE_LINGERING;
  if (waits)
    http_resume(x->connection);
  peer_deadline(x->connection->peer, LINGER_MS);
}

bool http_body_comes(const struct exchange *x) {
  return x->facts.framing.chunked || x->facts.framing.content_length > 0;
}

enum MHD_Result http_refuse_head(struct exchange *x, const struct problem *problem,
                                 const char *reason) {
  if (http_body_comes(x) && !x->facts.framing.expects_continue) {
    http_refuse_unread(x, problem, reason);
    return MHD_YES;
  }
  metrics_http_rejected(x->connection->server->options.metrics, reason);
  http_reply_problem(&x->public, problem, NULL);
  if (!x->response || MHD_add_response_header(x->response, "Connection", "close") != MHD_YES)
    return MHD_NO;
  return http_answer_queue(x);
}
