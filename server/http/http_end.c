#include "server/http/http_inside.h"
#include "server/http/listen.h"

#include <poll.h>
#include <unistd.h>

/* How often it looks for connections that the library could not accept yet. */
#define LOOK_MS 1

void http_drain(struct http_server *server) {
  server->draining = true;
}

bool http_end_is_due(const struct http_server *server) {
  return server->grace_over;
}

void http_end_accepting(struct http_server *server) {
  const MHD_socket fd = server->accepts_none ? MHD_INVALID_SOCKET : MHD_quiesce_daemon(server->mhd);
  server->accepts_none = true;
  if (fd != MHD_INVALID_SOCKET)
    close(fd);
}

static bool is_idle(const struct connection *c) {
  return !c->exchange && c->wire.used == 0 && !peer_has_unread(c->peer);
}

static void end_grace(struct http_server *server) {
  uv_timer_stop(&server->grace);
  server->grace_over = true;
  http_end_accepting(server);
  for (struct connection *c = server->connections; c != NULL; c = c->next)
    if (is_idle(c))
      peer_hang_up(c->peer);
  http_run_in(server, 0);
}

static void on_grace(uv_timer_t *timer) {
  end_grace(timer->data);
}

/* Whether connections wait to be accepted. */
static bool some_wait(const struct http_server *server) {
  struct pollfd listening = {.fd = server->options.listen_fd, .events = POLLIN};
  return poll(&listening, 1, 0) > 0;
}

void http_end_run(struct http_server *server) {
  if (!server->ending)
    return;
  if (!server->accepts_none && some_wait(server))
    http_run_in(server, LOOK_MS);
  else
    http_end_accepting(server);
  if (!server->quiet || server->n_exchanges > 0 || !server->accepts_none ||
      (server->n_connections > 0 && !server->grace_over))
    return;
  void (*quiet)(void *context) = server->quiet;
  server->quiet = NULL;
  uv_timer_stop(&server->grace);
  quiet(server->quiet_context);
}

void http_quiesce(struct http_server *server, uint64_t grace_ms, void (*done)(void *context),
                  void *context) {
  server->draining = server->ending = true;
  server->quiet = done;
  server->quiet_context = context;
  if (!server->accepts_none)
    listener_refuse(server->options.listen_fd);
  if (grace_ms > 0)
    uv_timer_start(&server->grace, on_grace, grace_ms, 0);
  else
    end_grace(server);
  http_run_in(server, 0);
}

void http_abandon(struct http_server *server) {
  struct problem problem;
  problem_set(&problem, 503, "draining", "the server is shutting down", "",
              "The server stops before this request was computed.");
  for (struct connection *c = server->connections; c != NULL; c = c->next) {
    struct exchange *x = c->exchange;
    if (x && x->stage == STAGE_STREAMING)
      http_stream_break(x);
    if (x && x->stage == STAGE_IN_LINE)
      http_refuse_unread(x, &problem, "memory");
    if (!x || x->stage != STAGE_WAITING)
      continue;
    if (x->public.gone != NULL)
      x->public.gone(x->public.gone_context);
    http_reply_problem(&x->public, &problem, NULL);
  }
}
