#include "tests/unit/support_http.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>

#define GET "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"

static struct fixture fixture_of_test;
static struct client client_of_test;

/* Without grace connections that have sent nothing are closed at once. */
static void test_drain(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  static struct client idle, other;
  begin(f, 10000);
  keep(f, c);
  dial(f, &idle);
  dial(f, &other);
  WAIT_FOR(&f->loop, http_connections(f->server) >= 3);
  http_drain(f->server);
  tell(&other, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(f, &other, "Connection: close");
  expect_end(f, &other);
  http_quiesce(f->server, 0, on_quiet, f);
  expect_end(f, &idle);
  for (int i = 0; i < 20; i++)
    turn(f);
  assert_int_equal(f->n_quiet, 0);
  reply_text(f->kept[0], "kept");
  expect(f, c, "kept");
  expect_end(f, c);
  WAIT_FOR(&f->loop, f->n_quiet > 0);
  assert_int_equal(f->n_quiet, 1);
  end(f);
}

static void test_abandon(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin(f, 10000);
  keep(f, c);
  http_abandon(f->server);
  assert_int_equal(f->n_gone, 1);
  http_quiesce(f->server, 0, on_quiet, f);
  expect(f, c, "HTTP/1.1 503 ");
  expect_end(f, c);
  WAIT_FOR(&f->loop, f->n_quiet > 0);
  end(f);
}

/* With it they are not, and who uses it is answered; when none is left, that is the end. */
static void test_grace(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  static struct client other;
  begin(f, 10000);
  dial(f, c);
  dial(f, &other);
  tell(&other, GET);
  expect(f, &other, "GET /x");
  forget(&other);
  http_quiesce(f->server, 60000, on_quiet, f);
  for (int i = 0; i < 20; i++)
    turn(f);
  assert_int_equal(f->n_quiet, 0);
  assert_int_equal(http_connections(f->server), 2);
  tell(c, GET);
  expect(f, c, "GET /x");
  assert_non_null(strstr(c->got, "Connection: close"));
  expect_end(f, c);
  assert_int_equal(f->n_quiet, 0);
  tell(&other, GET);
  expect(f, &other, "GET /x");
  expect_end(f, &other);
  WAIT_FOR(&f->loop, f->n_quiet > 0);
  assert_int_equal(f->n_quiet, 1);
  end(f);
}

/* When it is over, those that are left are closed. */
static void test_grace_is_over(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin(f, 10000);
  dial(f, c);
  WAIT_FOR(&f->loop, http_connections(f->server) >= 1);
  http_quiesce(f->server, 1, on_quiet, f);
  expect_end(f, c);
  assert_int_equal(c->size, 0);
  WAIT_FOR(&f->loop, f->n_quiet > 0);
  end(f);
}

/* Some kernels and containers let only privileged processes filter packets (listener_refuse). */
static bool filters_are_allowed(void) {
  struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
  const struct sock_fprog program = {.len = 1, .filter = &all};
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const bool is_allowed =
      setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
  close(fd);
  return is_allowed;
}

/* Who waits to be accepted is answered, more of them than there may be connections; who comes after
 * that finds nobody, and is not left with a connection that is reset. */
static void test_accepts_until_none_waits(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  static struct client clients[7];
  begin(f, 10000);
  for (size_t i = 0; i < 7; i++) {
    dial(f, &clients[i]);
    tell(&clients[i], GET);
  }
  http_quiesce(f->server, 60000, on_quiet, f);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(f->port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct pollfd late = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .events = POLLOUT};
  assert_int_equal(connect(late.fd, (const struct sockaddr *)&to, sizeof to), -1);
  assert_int_equal(errno, EINPROGRESS);
  if (filters_are_allowed())
    assert_int_equal(poll(&late, 1, 0), 0);
  close(late.fd);
  for (size_t i = 0; i < 7; i++) {
    expect(f, &clients[i], "GET /x");
    expect_end(f, &clients[i]);
  }
  WAIT_FOR(&f->loop, f->n_quiet > 0);
  end(f);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_drain),
      cmocka_unit_test(test_abandon),
      cmocka_unit_test(test_grace),
      cmocka_unit_test(test_grace_is_over),
      cmocka_unit_test(test_accepts_until_none_waits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
