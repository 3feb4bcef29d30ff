#include "server/http/http_inside.h"

static void on_timer(uv_timer_t *timer) {
  struct http_server *server = timer->data;
  server->run(server);
}

void http_run_in(struct http_server *server, uint64_t milliseconds) {
  uv_timer_start(&server->timer, on_timer, milliseconds, 0);
}

void http_resume(struct connection *connection) {
  MHD_resume_connection(connection->mhd);
  http_run_in(connection->server, 0);
}
