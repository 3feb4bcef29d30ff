#include "server/http/http_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static size_t n_runs;

static void count_run(struct http_server *server) {
  n_runs++;
  if (n_runs == 1)
    http_run_in(server, 0);
}

/* The library runs once for what was asked, never from inside, and once in a turn of the loop, so
 * that others have theirs. Resuming is in test_http_line.c
 * and test_http_stream.c, with connections. */
static void test_run_in(void **state) {
  (void)state;
  static struct http_server server;
  uv_loop_t loop;
  assert_int_equal(uv_loop_init(&loop), 0);
  server = (struct http_server){.loop = &loop, .run = count_run};
  uv_timer_init(&loop, &server.timer);
  uv_idle_init(&loop, &server.idle);
  server.timer.data = server.idle.data = &server;
  http_run_in(&server, 3600000);
  http_run_in(&server, 0);
  http_run_in(&server, 0);
  assert_int_equal(n_runs, 0);
  for (size_t n = 1; n <= 2; n++) {
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(n_runs, n);
  }
  uv_run(&loop, UV_RUN_DEFAULT); /* at once: no timer is left */
  assert_int_equal(n_runs, 2);
  http_run_in(&server, 1);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(n_runs, 3);
  uv_close((uv_handle_t *)&server.timer, NULL);
  uv_close((uv_handle_t *)&server.idle, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_run_in),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
