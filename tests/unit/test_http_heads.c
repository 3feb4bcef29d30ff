#include "tests/unit/support_http.h"

static struct fixture fixture_of_test;
static struct client client_of_test;

static const char bad[] = "GET /b HTTP/1.1\r\nHost: x\n\r\n";

/* A head that the library has never seen is answered in our words, counted, and ends all. */
static void test_refuses_heads(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *client = &client_of_test;
  begin(f, 60000);
  dial(f, client);
  tell(client, bad);
  expect(f, client, "HTTP/1.1 400 ");
  expect_end(f, client);
  assert_non_null(strstr(client->got, "urn:irrepd:malformed-request"));
  assert_non_null(strstr(client->got, "X-Request-Id: "));
  assert_true(metric(f, "irrepd_http_rejected_total{reason=\"framing\"}") == 1.0);
  forget(client);
  end(f);
}

/* What comes before it is answered first, though that takes its time. */
static void test_answers_what_came_before(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *client = &client_of_test;
  begin(f, 60000);
  dial(f, client);
  tell(client, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
  tell(client, bad);
  WAIT_FOR(&f->loop, f->n_kept > 0);
  for (int i = 0; i < 5; i++)
    turn(f);
  take(client);
  assert_int_equal(client->size, 0);
  reply_text(f->kept[0], "kept");
  expect(f, client, "kept");
  expect(f, client, "HTTP/1.1 400 ");
  expect_end(f, client);
  forget(client);
  end(f);
}

/* A fault in a body is the answer to its own request. */
static void test_refuses_bodies(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *client = &client_of_test;
  begin(f, 60000);
  dial(f, client);
  tell(client, "POST / HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\n"
               "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
  expect(f, client, "HTTP/1.1 400 ");
  expect_end(f, client);
  assert_non_null(strstr(client->got, "X-Request-Id: mine"));
  assert_null(strstr(client->got + 1, "HTTP/1.1 "));
  forget(client);
  end(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refuses_heads),
      cmocka_unit_test(test_answers_what_came_before),
      cmocka_unit_test(test_refuses_bodies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
