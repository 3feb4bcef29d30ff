#include "tests/unit/support_http.h"

static struct fixture fixture_of_test;
static struct client client_of_test;

static void test_refusals(void **state) {
  (void)state;
  static const struct {
    const char *text, *status;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "HTTP/1.1 400 "},
      {"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nHost: x\r\n: 1\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
       "HTTP/1.1 400 "},
  };
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin(f, 10000);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    dial(f, c);
    tell(c, cases[i].text);
    expect(f, c, cases[i].status);
    expect(f, c, "application/problem+json");
    expect_end(f, c);
  }
  end(f);
}

/* Who may not is told so before a body is sent. */
static void test_bodies_that_are_not_admitted(void **state) {
  (void)state;
  static const char *const fields[] = {"Content-Length: 90000", "Transfer-Encoding: chunked",
                                       "Content-Length: 90000\r\nExpect: 100-continue"};
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin(f, 10000);
  for (size_t i = 0; i < 3; i++) {
    char text[200];
    snprintf(text, sizeof text, "POST /p HTTP/1.1\r\nHost: x\r\nAuthorization: no\r\n%s\r\n\r\n",
             fields[i]);
    dial(f, c);
    tell(c, text);
    expect(f, c, "HTTP/1.1 401 ");
    expect(f, c, "WWW-Authenticate: Bearer\r\n");
    expect(f, c, "Connection: close\r\n");
    expect_end(f, c);
  }
  dial(f, c);
  tell(c, "POST /p HTTP/1.1\r\nHost: x\r\nAuthorization: yes\r\nContent-Length: 1\r\n\r\nx");
  expect(f, c, "|x");
  close(c->fd);
  assert_true(metric(f, "irrepd_http_rejected_total{reason=\"key\"} ") == 3);
  assert_true(metric(f, "irrepd_http_requests_total{route=\"/guarded\",method=\"POST\","
                        "code=\"401\"} ") == 3);
  end(f);
}

/* It takes something all the time, but not 64 bytes a millisecond. */
static void test_slow_reader(void **state) {
  (void)state;
  static char request[BODY_MAX];
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  const int small = 4096, body = 60000;
  const int head = snprintf(request, sizeof request,
                            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", body);
  memset(request + head, 'x', (size_t)body);
  begin_with(f, 20, small);
  dial_with(f, c, small);
  tell(c, request);
  while (!c->ended) {
    const ssize_t n = recv(c->fd, c->got, 100, MSG_DONTWAIT);
    c->ended = n == 0;
    c->size += n > 0 ? (size_t)n : 0;
    for (int i = 0; i < 15; i++)
      turn(f);
  }
  close(c->fd);
  assert_true(c->size > 0 && c->size < (size_t)body);
  end(f);
}

static void test_replies_that_come_later(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin(f, 200);
  keep(f, c);
  tell(c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  turn_for(f, 300); /* longer than the timeout: it is not the client that is slow */
  take(c);
  assert_int_equal(c->size, 0);
  reply_text(f->kept[0], "kept");
  expect(f, c, "kept");
  expect(f, c, "GET /next");
  assert_int_equal(f->n_gone, 0);
  close(c->fd);
  end(f);
}

/* Problems have the form of the API that is asked, and what a client is to know beside. */
static void test_problems(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  struct problem problem;
  begin(f, 10000);
  problem_set(&problem, 503, "queue-full", "full", "", "Try again.");
  problem.retry_after_s = 7;
  keep(f, c);
  http_reply_problem(f->kept[0], &problem, "GET, HEAD");
  expect(f, c, "Try again.");
  assert_memory_equal(c->got, "HTTP/1.1 503 ", 13);
  assert_non_null(strstr(c->got, "Content-Type: application/problem+json\r\n"));
  assert_non_null(strstr(c->got, "Retry-After: 7\r\n"));
  assert_non_null(strstr(c->got, "Allow: GET, HEAD\r\n"));
  assert_true(metric(f, "irrepd_http_requests_total{route=\"other\",method=\"GET\","
                        "code=\"503\"} ") == 1);
  close(c->fd);
  end(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refusals),    cmocka_unit_test(test_bodies_that_are_not_admitted),
      cmocka_unit_test(test_slow_reader), cmocka_unit_test(test_replies_that_come_later),
      cmocka_unit_test(test_problems),
  };
  signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
