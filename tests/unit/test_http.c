#include "tests/unit/support_http.h"

static struct fixture fixture_of_test;
static struct client client_of_test;

static void test_requests(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin(f, 10000);
  dial(f, c);
  tell(
      c,
      "GET /a%62?q=1 HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\nAccept: c/d\r\nX-Request-Id: i\r\n\r\n");
  expect(f, c, "GET /ab - a/b,c/d i|");
  assert_non_null(strstr(c->got, "X-Request-Id: i\r\n"));
  forget(c);
  tell(c, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Type: t\r\nContent-Length: 5\r\n\r\nhel");
  turn(f);
  tell(c, "lo");
  expect(f, c, "|hello");
  assert_non_null(strstr(c->got, "POST /p t - "));
  forget(c);
  tell(c, "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n"
          "0\r\n\r\n");
  expect(f, c, "|hello");
  assert_int_equal(http_connections(f->server), 1);
  close(c->fd);
  WAIT_FOR(&f->loop, http_connections(f->server) == 0);
  assert_true(
      metric(f, "irrepd_http_requests_total{route=\"other\",method=\"POST\",code=\"200\"} ") == 2);
  end(f);
}

/* Header fields take what they may; the list of pieces still has room. */
static void test_pieces(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  char field[4001], wanted[257];
  memset(field, 'f', sizeof field - 1);
  field[sizeof field - 1] = '\0';
  memset(wanted, 'p', sizeof wanted - 1);
  wanted[sizeof wanted - 1] = '\0';
  begin(f, 10000);
  dial(f, c);
  for (int i = 0; i < 2; i++) {
    tell(c, "GET /pieces HTTP/1.1\r\nHost: x\r\n");
    for (int k = 0; k < 4; k++) {
      tell(c, "X-A: ");
      tell(c, field);
      tell(c, "\r\n");
    }
    tell(c, "\r\n");
    expect(f, c, wanted);
    assert_non_null(strstr(c->got, "Content-Length: 256\r\n"));
    forget(c);
  }
  close(c->fd);
  end(f);
}

/* A body that is taken is no longer counted: more may come than is held at a time. */
static void test_bodies_that_are_taken(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  static char body[BODY_MAX + 1];
  memset(body, 'b', BODY_MAX);
  begin(f, 10000);
  dial(f, c);
  for (int i = 0; i < 5; i++) {
    char head[100];
    snprintf(head, sizeof head, "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
             BODY_MAX);
    tell(c, head);
    for (size_t sent = 0; sent < BODY_MAX; sent += 1000, turn(f)) {
      const size_t n = BODY_MAX - sent < 1000 ? BODY_MAX - sent : 1000;
      assert_int_equal(send(c->fd, body + sent, n, MSG_NOSIGNAL), (ssize_t)n);
    }
    expect(f, c, "taken");
    forget(c);
    assert_int_equal(f->n_taken, BODY_MAX);
    assert_memory_equal(f->taken, body, BODY_MAX);
  }
  tell(c, "POST /return HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nagain");
  expect(f, c, "again");
  forget(c);
  tell(c, "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  expect(f, c, "taken");
  assert_null(f->taken);
  close(c->fd);
  end(f);
}

static void test_large_bodies(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  static char body[BODY_MAX + 1];
  begin(f, 10000);
  memset(body, 'b', BODY_MAX);
  dial(f, c);
  char head[128];
  snprintf(head, sizeof head, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
           BODY_MAX);
  tell(c, head);
  for (size_t sent = 0; sent < BODY_MAX; turn(f)) {
    const ssize_t n = send(c->fd, body + sent, BODY_MAX - sent, MSG_DONTWAIT);
    sent += n > 0 ? (size_t)n : 0;
  }
  body[BODY_MAX - 1] = '\0';
  expect(f, c, body);
  body[BODY_MAX - 1] = 'b';
  close(c->fd);
  dial(f, c);
  snprintf(head, sizeof head, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
           BODY_MAX + 1);
  tell(c, head);
  expect(f, c, "HTTP/1.1 413 ");
  expect_end(f, c);
  assert_true(metric(f, "irrepd_http_rejected_total{reason=\"body\"} ") == 1);
  end(f);
}

static void test_slow_requests(void **state) {
  (void)state;
  static const char *const parts[] = {"GET / HT", "GET / HTTP/1.1\r\nHo",
                                      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"};
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin(f, 20);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    dial(f, c);
    tell(c, parts[i]);
    expect(f, c, "HTTP/1.1 408 ");
    expect_end(f, c);
  }
  dial(f, c);
  expect_end(f, c); /* nothing was asked, nothing is said */
  assert_int_equal(c->size, 0);
  assert_true(metric(f, "irrepd_http_rejected_total{reason=\"timeout\"} ") == 3);
  end(f);
}

/* A client that has ended its side gets its answers, whole, in one piece or many, at once or later;
 * then the connection ends. */
static void test_half_closed_clients(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin(f, 10000);
  keep(f, c);
  shutdown(c->fd, SHUT_WR);
  WAIT_FOR(&f->loop, has(c, "H")); /* until it has been asked */
  assert_string_equal(c->got, "H");
  reply_text(f->kept[0], "kept");
  expect_end(f, c);
  assert_memory_equal(c->got, "HTTP/1.1 200 OK\r\n", 17);
  assert_non_null(strstr(c->got, "\r\n\r\nkept"));
  dial(f, c);
  tell(c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
  shutdown(c->fd, SHUT_WR);
  WAIT_FOR(&f->loop, f->n_kept >= 2);
  reply_pieces(f->kept[1]);
  expect_end(f, c);
  assert_memory_equal(c->got, "HTTP/1.1 200 OK\r\n", 17);
  const char *second = strstr(c->got + 1, "HTTP/1.1 200 OK\r\n");
  assert_non_null(second);
  assert_non_null(strstr(second, "\r\n\r\npppp"));
  dial(f, c);
  tell(c, "GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET /y HTTP/1.1\r\nHost: x\n\r\n");
  shutdown(c->fd, SHUT_WR);
  expect_end(f, c);
  assert_non_null(strstr(c->got, "GET /x"));
  assert_non_null(strstr(c->got, "HTTP/1.1 400 "));
  assert_int_equal(f->n_gone, 0);
  end(f);
}

static void test_clients_that_leave(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  const struct linger abort = {1, 0};
  begin(f, 10000);
  for (size_t i = 0; i < 2; i++) {
    keep(f, c);
    if (i == 1)
      setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close(c->fd);
    WAIT_FOR(&f->loop, f->n_gone > i && http_connections(f->server) == 0);
  }
  assert_int_equal(f->n_gone, 2);
  end(f);
}

static void test_connection_limit(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  static struct client clients[5];
  begin(f, 10000);
  for (size_t i = 0; i < 5; i++) {
    dial(f, &clients[i]);
    tell(&clients[i], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  for (size_t i = 0; i < 4; i++)
    expect(f, &clients[i], "GET /x");
  for (int i = 0; i < 20; i++)
    turn(f);
  take(&clients[4]);
  assert_int_equal(clients[4].size, 0);
  close(clients[0].fd);
  expect(f, &clients[4], "GET /x");
  for (size_t i = 1; i < 5; i++)
    close(clients[i].fd);
  end(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_requests),
      cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_bodies_that_are_taken),
      cmocka_unit_test(test_large_bodies),
      cmocka_unit_test(test_slow_requests),
      cmocka_unit_test(test_half_closed_clients),
      cmocka_unit_test(test_clients_that_leave),
      cmocka_unit_test(test_connection_limit),
  };
  signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
