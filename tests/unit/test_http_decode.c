#include "tests/unit/support_coded_http.h"

static const enum http_coding codings[] = {CODING_GZIP, CODING_ZSTD};

static struct fixture fixture_of_test;
static struct client client_of_test;
static char text[BODY_MAX + 1];

static void expect_no_memory_held(const struct fixture *f) {
  assert_int_equal(f->ledger.used[LEDGER_BODIES], 0);
}

static void test_whole(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin_large(f);
  dial(f, c);
  for (size_t k = 0; k < 2; k++)
    for (size_t n = 1; n < BODY_MAX; n *= 13)
      for (int chunked = 0; chunked < (n < 1000 ? 2 : 1); chunked++) {
        size_t size;
        char *bytes = coded(codings[k], text, n, &size), end[3] = "|0";
        if (n > 1)
          memcpy(end, text + n - 2, 2);
        post_coded(f, c, codings[k], bytes, size, chunked);
        expect(f, c, end);
        WAIT_FOR(&f->loop, (take(c), c->size >= n + 50));
        assert_memory_equal(strchr(strstr(c->got, "\r\n\r\n"), '|') + 1, text, n);
        forget(c);
        expect_no_memory_held(f);
        free(bytes);
      }
  close(c->fd);
  end(f);
}

/* What follows on the connection is the next request. */
static void test_pipelined(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin_large(f);
  dial(f, c);
  for (size_t k = 0; k < 2; k++) {
    size_t size;
    char *bytes = coded(codings[k], text, 30000, &size);
    for (int i = 0; i < 3; i++)
      post_coded(f, c, codings[k], bytes, size, false);
    tell(c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(f, c, "GET /next");
    size_t n_answers = 0;
    for (const char *at = c->got; (at = strstr(at, "POST /p ")) != NULL; at++)
      n_answers++;
    assert_int_equal(n_answers, 3);
    forget(c);
    free(bytes);
  }
  close(c->fd);
  end(f);
}

/* A body is refused at the byte that is one too many, and none before. */
static void test_bounds(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin_large(f);
  for (size_t k = 0; k < 2; k++) {
    size_t size;
    char *bytes = coded(codings[k], text, BODY_MAX, &size);
    dial(f, c);
    post_coded(f, c, codings[k], bytes, size, false);
    expect(f, c, "HTTP/1.1 200 ");
    close(c->fd);
    free(bytes);
    bytes = coded(codings[k], text, BODY_MAX + 1, &size);
    dial(f, c);
    post_coded(f, c, codings[k], bytes, size, false);
    expect(f, c, "HTTP/1.1 413 ");
    expect_end(f, c);
    expect_no_memory_held(f);
    free(bytes);
  }
  assert_true(metric(f, "irrepd_http_rejected_total{reason=\"body\"} ") == 2);
  end(f);
}

/* What holds nothing is bounded as it comes. */
static void test_empty_streams(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin_large(f);
  size_t size;
  char *one = coded(CODING_GZIP, text, 0, &size), line[64];
  dial(f, c);
  tell(c, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"
          "\r\n");
  const int n = snprintf(line, sizeof line, "%zx\r\n", size);
  memcpy(line + n, one, size);
  memcpy(line + (size_t)n + size, "\r\n", 2);
  for (size_t sent = 0; sent <= BODY_MAX; sent += size)
    tell_bytes(f, c, line, (size_t)n + size + 2);
  expect(f, c, "HTTP/1.1 413 ");
  expect_end(f, c);
  free(one);
  end(f);
}

static void test_damaged(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin_large(f);
  for (size_t k = 0; k < 2; k++)
    for (int chunked = 0; chunked < 2; chunked++) {
      size_t size;
      char *bytes = coded(codings[k], text, 1000, &size);
      /* Truncated: the request ends in order, and the connection goes on. */
      dial(f, c);
      post_coded(f, c, codings[k], bytes, size - 1, chunked);
      expect(f, c, "HTTP/1.1 400 ");
      expect(f, c, "malformed-encoding");
      expect(f, c, "ends before the stream does");
      forget(c);
      bytes[size / 2] = (char)(bytes[size / 2] ^ 0x55);
      post_coded(f, c, codings[k], bytes, size, chunked);
      expect(f, c, "HTTP/1.1 400 ");
      expect(f, c, k == 0 ? "Content-Encoding: gzip: " : "Content-Encoding: zstd: ");
      close(c->fd);
      free(bytes);
    }
  while (http_connections(f->server) > 0)
    turn(f);
  expect_no_memory_held(f);
  assert_true(metric(f, "irrepd_http_rejected_total{reason=\"encoding\"} ") == 8);
  end(f);
}

/* The part of bodies has no room for a decoder of zstd: there is none for any. */
static void test_no_memory(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  size_t size;
  begin(f, 10000);
  char *bytes = coded(CODING_ZSTD, text, 1000, &size);
  dial(f, c);
  post_coded(f, c, CODING_ZSTD, bytes, size, false);
  expect(f, c, "HTTP/1.1 503 ");
  close(c->fd);
  free(bytes);
  end(f);
}

/* What one body becomes in a turn of the loop is bounded, and others go on meanwhile. */
static void test_turns(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  static char zeros[BODY_MAX];
  size_t size, n_turns = 0;
  begin_large(f);
  char *bytes = coded(CODING_GZIP, zeros, BODY_MAX, &size), head[200];
  snprintf(head, sizeof head,
           "POST /p HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
           size);
  dial(f, c);
  tell(c, head);
  assert_int_equal(send(c->fd, bytes, size, 0), (ssize_t)size);
  for (; c->size == 0; n_turns++) {
    uv_run(&f->loop, UV_RUN_NOWAIT);
    take(c);
  }
  assert_true(n_turns >= 2);
  close(c->fd);
  free(bytes);
  end(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole),   cmocka_unit_test(test_pipelined),
      cmocka_unit_test(test_bounds),  cmocka_unit_test(test_empty_streams),
      cmocka_unit_test(test_damaged), cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_turns),
  };
  signal(SIGPIPE, SIG_IGN);
  fill_with_text(text, sizeof text);
  text[0] = '0';
  return cmocka_run_group_tests(tests, NULL, NULL);
}
