#include "tests/unit/support_http.h"

static struct fixture fixture_of_test;
static struct client client_of_test;

/* A stream of letters: what a test lets go of is read, then nothing, until its end. */
struct letters {
  struct http_exchange *exchange;
  size_t n_let, n_read, n_closed;
  bool ends;
};

static size_t read_letters(void *context, char *bytes, size_t size) {
  struct letters *letters = context;
  const size_t left = letters->n_let - letters->n_read, n = left < size ? left : size;
  memset(bytes, 'x', n);
  letters->n_read += n;
  return n == 0 && letters->ends ? HTTP_STREAM_END : n;
}

static void on_closed(void *context) {
  ((struct letters *)context)->n_closed++;
}

static void answer(struct fixture *f, struct client *c, struct letters *letters) {
  keep(f, c);
  *letters = (struct letters){.exchange = f->kept[f->n_kept - 1]};
  struct http_reply reply = {.status = 200,
                             .content_type = "application/x-ndjson",
                             .stream = {read_letters, on_closed, letters}};
  http_reply(letters->exchange, &reply);
}

static void let(struct letters *letters, size_t n) {
  letters->n_let += n;
  http_wake(letters->exchange);
}

static void close_and_wait(struct fixture *f, struct client *c, const struct letters *letters) {
  close(c->fd);
  WAIT_FOR(&f->loop, letters->n_closed > 0 && http_connections(f->server) == 0);
  assert_int_equal(letters->n_closed, 1);
}

static void test_bit_by_bit(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  struct letters letters;
  begin(f, 200);
  answer(f, c, &letters);
  expect(f, c, "\r\n\r\n");
  assert_non_null(strstr(c->got, "Transfer-Encoding: chunked"));
  turn_for(f, 300); /* longer than the timeout: it is not the client that is slow */
  let(&letters, 3);
  expect(f, c, "3\r\nxxx\r\n");
  let(&letters, 2);
  expect(f, c, "2\r\nxx\r\n");
  letters.ends = true;
  http_wake(letters.exchange);
  expect(f, c, "\r\n0\r\n\r\n");
  assert_int_equal(letters.n_closed, 1);
  assert_int_equal(f->n_gone, 0);
  forget(c); /* the connection goes on */
  tell(c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(f, c, "GET /next");
  close(c->fd);
  end(f);
}

/* A stream ends for one who leaves while it waits, and while it is full. */
static void test_clients_that_leave(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  const struct linger abort = {1, 0};
  struct letters letters;
  begin_with(f, 10000, 4096);
  for (size_t i = 0; i < 4; i++) {
    answer(f, c, &letters);
    expect(f, c, "\r\n\r\n");
    if (i >= 2) {
      let(&letters, 8000000);
      for (int k = 0; k < 20; k++)
        turn(f);
      assert_true(letters.n_read < letters.n_let); /* it is read as fast as the client takes it */
    }
    if (i % 2 == 1)
      setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close_and_wait(f, c, &letters);
    f->n_kept = 0;
  }
  end(f);
}

/* One that has ended its side reads on. */
static void test_half_closed(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  struct letters letters;
  begin(f, 10000);
  answer(f, c, &letters);
  shutdown(c->fd, SHUT_WR);
  expect(f, c, "1\r\n\n\r\n");
  let(&letters, 3);
  expect(f, c, "3\r\nxxx\r\n");
  letters.ends = true;
  http_wake(letters.exchange);
  expect_end(f, c);
  assert_non_null(strstr(c->got, "\r\n0\r\n\r\n"));
  end(f);
}

static void test_broken_off(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  struct letters letters;
  begin(f, 10000);
  answer(f, c, &letters);
  let(&letters, 3);
  expect(f, c, "xxx");
  http_abandon(f->server);
  expect_end(f, c);
  assert_null(strstr(c->got, "\r\n0\r\n\r\n"));
  assert_int_equal(letters.n_closed, 1);
  end(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bit_by_bit),
      cmocka_unit_test(test_clients_that_leave),
      cmocka_unit_test(test_half_closed),
      cmocka_unit_test(test_broken_off),
  };
  signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
