#include "tests/unit/support_http.h"

#define N 4

static struct fixture fixture_of_test;
static struct client clients[N];
static char body[BODY_MAX + 1];

/* Sends the head of a body of BODY_MAX bytes, and so many of them. */
static void send_part(struct fixture *f, struct client *c, size_t n) {
  char head[128];
  snprintf(head, sizeof head, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
           BODY_MAX);
  memset(body, 'b', BODY_MAX);
  dial(f, c);
  tell(c, head);
  for (size_t sent = 0; sent < n;) {
    const ssize_t k = send(c->fd, body, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    sent += k > 0 ? (size_t)k : 0;
    turn(f);
  }
}

static void send_rest(struct client *c, size_t n) {
  assert_int_equal(send(c->fd, body, n, MSG_NOSIGNAL), (ssize_t)n);
}

static size_t used(const struct fixture *f) {
  return f->ledger.used[LEDGER_BODIES];
}

/* Runs the loop for so long that all is read that may be. */
static void settle(struct fixture *f) {
  for (int i = 0; i < 50; i++)
    turn(f);
}

/* Of three bodies, of which two find room, the third waits; so does the one that comes after it.
 * They go on in their order, and nobody is refused. */
static void test_order(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  begin(f, 10000);
  for (size_t i = 0; i < N; i++)
    send_part(f, &clients[i], BODY_MAX - 1);
  settle(f);
  assert_in_range(used(f), BODY_MAX, 2 * BODY_MAX);
  for (size_t i = 0; i < N; i++) {
    assert_int_equal(clients[i].size, 0);
    send_rest(&clients[i], 1);
    expect(f, &clients[i], "HTTP/1.1 200 ");
    assert_true(i + 2 >= N || clients[N - 1].size == 0);
    close(clients[i].fd);
    settle(f);
  }
  assert_int_equal(ledger_total(&f->ledger), 0);
  end(f);
}

/* Who waits in vain for as long as a request may take is refused; who is slow has his 408. */
static void test_patience(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  begin(f, 300);
  for (size_t i = 0; i < 3; i++)
    send_part(f, &clients[i], BODY_MAX - 1);
  /* The other two go on as soon as the first has had its time, which is when theirs begins. */
  ledger_add(&f->ledger, LEDGER_BODIES, 10 * BODY_MAX);
  expect(f, &clients[0], "HTTP/1.1 408 ");
  expect(f, &clients[1], "HTTP/1.1 ");
  expect(f, &clients[2], "HTTP/1.1 503 ");
  expect(f, &clients[2], "too-many-bodies");
  expect(f, &clients[2], "Retry-After: ");
  for (size_t i = 0; i < 3; i++)
    expect_end(f, &clients[i]);
  assert_true(metric(f, "irrepd_http_rejected_total{reason=\"memory\"} ") >= 1);
  settle(f);
  assert_int_equal(used(f), 10 * BODY_MAX);
  end(f);
}

/* Who leaves gives his place to the next; one whose body is short is served meanwhile. */
static void test_leaving(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  begin(f, 10000);
  for (size_t i = 0; i < 3; i++)
    send_part(f, &clients[i], BODY_MAX - 1);
  settle(f);
  dial(f, &clients[3]);
  tell(&clients[3], "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
  expect(f, &clients[3], "|x");
  const struct linger at_once = {.l_onoff = 1};
  for (size_t i = 0; i < 2; i++) {
    setsockopt(clients[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(clients[i].fd);
  }
  send_rest(&clients[2], 1);
  expect(f, &clients[2], "HTTP/1.1 200 ");
  setsockopt(clients[2].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(clients[2].fd);
  /* One that leaves while it stands in line. */
  for (size_t i = 0; i < 3; i++)
    send_part(f, &clients[i], BODY_MAX - 1);
  settle(f);
  setsockopt(clients[2].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(clients[2].fd);
  settle(f);
  for (size_t i = 0; i < 2; i++) {
    send_rest(&clients[i], 1);
    expect(f, &clients[i], "HTTP/1.1 200 ");
    close(clients[i].fd);
  }
  close(clients[3].fd);
  settle(f);
  assert_int_equal(ledger_total(&f->ledger), 0);
  end(f);
}

/* At the end those in line are answered, and no connection stays suspended. */
static void test_abandoning(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  begin(f, 10000);
  for (size_t i = 0; i < 3; i++)
    send_part(f, &clients[i], BODY_MAX - 1);
  settle(f);
  http_abandon(f->server);
  expect(f, &clients[2], "HTTP/1.1 503 ");
  settle(f);
  end(f);
  for (size_t i = 0; i < 3; i++)
    close(clients[i].fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_patience),
      cmocka_unit_test(test_leaving),
      cmocka_unit_test(test_abandoning),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
