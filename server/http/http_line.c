#include "server/http/http_inside.h"

/* How much at least a body that goes on gets room for: what the library hands over at a time. */
#define STEP ((size_t)64 << 10)

void http_line_init(struct http_server *server) {
  server->line = NULL;
  server->line_end = &server->line;
}

static void stand(struct http_server *server, struct exchange *x) {
  struct exchange **at = server->favoured == x ? &server->line : server->line_end;
  x->next_in_line = *at;
  *at = x;
  if (!x->next_in_line)
    server->line_end = &x->next_in_line;
}

static void step_out(struct http_server *server, const struct exchange *x) {
  struct exchange **at = &server->line;
  while (*at && *at != x)
    at = &(*at)->next_in_line;
  if (!*at)
    return;
  *at = x->next_in_line;
  if (!*at)
    server->line_end = at;
}

static size_t expected(const struct exchange *x) {
  const struct http_framing *framing = &x->facts.framing;
  if (x->decoder) /* what was announced is not what it becomes */
    return SIZE_MAX;
  return framing->has_length ? (size_t)framing->content_length : SIZE_MAX;
}

enum http_room http_line_make_room(struct exchange *x, size_t more) {
  struct http_server *server = x->connection->server;
  const bool is_favoured = server->favoured == x;
  const size_t size = x->body.size + more; /* of what the library has at a time: no overflow */
  const bool grows = size > x->body.capacity && size > HTTP_BODY_FIRST;
  if (server->line && !is_favoured && grows && size <= http_body_most(&server->budget))
    return HTTP_ROOM_LATER;
  return http_body_make_room(&x->body, &server->budget, expected(x), more, is_favoured);
}

enum http_room http_line_make_beside(struct exchange *x, size_t bytes) {
  struct http_server *server = x->connection->server;
  const bool is_favoured = server->favoured == x;
  if (server->line && !is_favoured && bytes > x->body.beside)
    return HTTP_ROOM_LATER;
  return http_body_make_beside(&x->body, &server->budget, bytes, is_favoured);
}

/* What is left of the time that a request may wait, all in all. */
static uint64_t patience_ms(struct exchange *x) {
  const struct http_server *server = x->connection->server;
  const uint64_t now = uv_now(server->loop), most = server->options.request_timeout_ms;
  if (x->line_ms == 0)
    x->line_ms = now;
  const uint64_t waited = now - x->line_ms;
  return waited < most ? most - waited : 1;
}

void http_line_wait(struct exchange *x) {
  struct connection *connection = x->connection;
  struct http_server *server = connection->server;
  x->stage = STAGE_IN_LINE;
  stand(server, x);
  server->waiter.waits = true;
  MHD_suspend_connection(connection->mhd);
  peer_deadline(connection->peer, patience_ms(x));
  http_run_in(server, 0); /* it may be the one that goes on */
}

void http_line_leave(struct exchange *x) {
  struct http_server *server = x->connection->server;
  if (x->stage == STAGE_IN_LINE)
    step_out(server, x);
  if (server->favoured == x)
    server->favoured = NULL;
  server->waiter.waits = server->line != NULL;
  if (server->line)
    http_run_in(server, 0);
}

/* Whether there is room for the next step of a body, its decoder included. */
static bool has_room(struct http_server *server, struct exchange *x, bool is_favoured) {
  const size_t most = http_body_most(&server->budget);
  const size_t rest = x->body.size < most ? most - x->body.size : 0;
  const size_t announced = expected(x) - x->body.size;
  size_t step = rest < STEP ? rest : STEP;
  step = announced < step ? announced : step;
  const size_t beside = x->decoder ? http_decoder_wants(x->decoder) : 0;
  return http_body_make_beside(&x->body, &server->budget, beside, is_favoured) != HTTP_ROOM_LATER &&
         http_body_make_room(&x->body, &server->budget, expected(x), step, is_favoured) !=
             HTTP_ROOM_LATER;
}

/* Whether the first in line can go on, as the favoured one if need be. */
static bool can_go_on(struct http_server *server, struct exchange *x) {
  if (has_room(server, x, server->favoured == x))
    return true;
  if (server->favoured)
    return false;
  server->favoured = x;
  return has_room(server, x, true);
}

bool http_line_run(struct http_server *server) {
  bool resumed = false;
  for (struct exchange *x; (x = server->line) && can_go_on(server, x);) {
    step_out(server, x);
    x->stage = STAGE_RECEIVING;
    peer_deadline(x->connection->peer, server->options.request_timeout_ms);
    MHD_resume_connection(x->connection->mhd);
    resumed = true;
  }
  server->waiter.waits = server->line != NULL;
  return resumed;
}
