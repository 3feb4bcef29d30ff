#include "server/http/http_inside.h"

/* Bytes that all coded bodies and answers may be made of, or into, in a turn of the loop: about a
 * millisecond of gzip. Of one no more than MOST, and of many no less than LEAST each. */
#define TURN ((size_t)128 << 10)
#define MOST ((size_t)64 << 10)
#define LEAST ((size_t)2 << 10)

static void on_timer(uv_timer_t *timer) {
  struct http_server *server = timer->data;
  server->run(server);
}

static void on_idle(uv_idle_t *idle) {
  struct http_server *server = idle->data;
  uv_idle_stop(idle);
  server->run(server);
}

/* A timer of no time that is started when it fires would fire again in the same turn, and nobody
 * else have one. */
void http_run_in(struct http_server *server, uint64_t milliseconds) {
  if (milliseconds > 0) {
    uv_timer_start(&server->timer, on_timer, milliseconds, 0);
    return;
  }
  uv_timer_stop(&server->timer); /* what it waits for is told again by the run */
  uv_idle_start(&server->idle, on_idle);
}

void http_resume(struct connection *connection) {
  MHD_resume_connection(connection->mhd);
  http_run_in(connection->server, 0);
}

size_t http_turn_left(struct exchange *x) {
  const struct http_server *server = x->connection->server;
  if (x->turn != server->turn) {
    const size_t part = TURN / (server->n_coding > 0 ? server->n_coding : 1);
    x->turn = server->turn;
    x->turn_left = part < LEAST ? LEAST : part > MOST ? MOST : part;
  }
  return x->turn_left;
}

void http_turn_take(struct exchange *x, size_t bytes) {
  x->turn_left = x->turn_left > bytes ? x->turn_left - bytes : 0;
}

void http_turn_wait(struct connection *connection) {
  MHD_suspend_connection(connection->mhd);
  http_resume(connection);
}
