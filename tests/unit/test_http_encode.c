#include "tests/unit/support_coded_http.h"

static const enum http_coding codings[] = {CODING_GZIP, CODING_ZSTD};

static struct fixture fixture_of_test;
static struct client client_of_test;
static char text[BODY_MAX];

/* Asks for a path in a coding, with text [size] as its body. */
static void ask(struct fixture *f, const struct client *c, const char *path, const char *coding,
                size_t size) {
  char head[200];
  snprintf(head, sizeof head,
           "POST %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
           path, coding, size);
  tell_bytes(f, c, head, strlen(head));
  tell_bytes(f, c, text, size);
}

static void expect_coded(struct fixture *f, struct client *c, enum http_coding coding,
                         const char *body, size_t body_size) {
  size_t size;
  char *bytes = unchunk(f, c, &size);
  char field[64];
  snprintf(field, sizeof field, "Content-Encoding: %s\r\n", http_coding_name(coding));
  assert_non_null(strstr(c->got, field));
  assert_non_null(strstr(c->got, "Vary: Accept-Encoding\r\n"));
  struct undone undone = undo(coding, bytes, size, 4096, 4096, BODY_MAX + 1000);
  assert_true(undone.is_whole);
  assert_int_equal(undone.size, body_size);
  assert_memory_equal(undone.bytes, body, body_size);
  free(undone.bytes);
  free(bytes);
  forget(c);
}

static void test_bodies(void **state) {
  (void)state;
  static char letters[256];
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  memset(letters, 'p', sizeof letters);
  begin_large(f);
  dial(f, c);
  for (size_t k = 0; k < 2; k++) {
    for (size_t n = 1; n < BODY_MAX; n *= 7) {
      ask(f, c, "/return", http_coding_name(codings[k]), n);
      expect_coded(f, c, codings[k], text, n);
    }
    ask(f, c, "/pieces", http_coding_name(codings[k]), 0);
    expect_coded(f, c, codings[k], letters, sizeof letters);
  }
  while (f->ledger.used[LEDGER_ANSWERS] > 0)
    turn(f);
  close(c->fd);
  end(f);
}

static void test_what_stays_as_it_is(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  struct http_options options = {.max_body_bytes = BODY_MAX, .compress_above = 1000};
  begin_large(f);
  http_set_limits(f->server, &options);
  dial(f, c);
  ask(f, c, "/return", "gzip", 1000);
  expect(f, c, "Content-Length: 1000\r\n");
  assert_null(strstr(c->got, "Content-Encoding"));
  assert_null(strstr(c->got, "Vary"));
  close(c->fd);
  dial(f, c);
  forget(c);
  ask(f, c, "/return", "identity", 1001);
  expect(f, c, "Content-Length: 1001\r\n");
  assert_null(strstr(c->got, "Content-Encoding"));
  assert_non_null(strstr(c->got, "Vary: Accept-Encoding\r\n"));
  close(c->fd);
  dial(f, c);
  forget(c);
  ask(f, c, "/return", "gzip, identity;q=0", 10);
  expect_coded(f, c, CODING_GZIP, text, 10);
  ask(f, c, "/return", "gzip", 1001);
  expect_coded(f, c, CODING_GZIP, text, 1001);
  close(c->fd);
  end(f);
}

/* Without memory for the encoder the answer goes as it is. */
static void test_little_memory(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin(f, 10000);
  dial(f, c);
  ask(f, c, "/return", "zstd", 1000);
  expect(f, c, "Content-Length: 1000\r\n");
  assert_null(strstr(c->got, "Content-Encoding"));
  assert_non_null(strstr(c->got, "Vary: Accept-Encoding\r\n"));
  close(c->fd);
  end(f);
}

/* The head is that of the answer to GET. */
static void test_head(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  begin_large(f);
  dial(f, c);
  tell(c, "HEAD / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n");
  expect_end(f, c);
  assert_non_null(strstr(c->got, "Content-Encoding: gzip\r\n"));
  assert_null(strstr(c->got, "Content-Length"));
  assert_string_equal(strstr(c->got, "\r\n\r\n"), "\r\n\r\n");
  end(f);
}

/* A stream of what a test lets go of. */
struct letters {
  struct http_exchange *exchange;
  size_t n_let, n_read;
  bool ends;
};

static size_t read_letters(void *context, char *bytes, size_t size) {
  struct letters *letters = context;
  const size_t left = letters->n_let - letters->n_read, n = left < size ? left : size;
  memset(bytes, 'x', n);
  letters->n_read += n;
  return n == 0 && letters->ends ? HTTP_STREAM_END : n;
}

/* Whether all of a chunked answer has come. */
static bool has_end(const struct client *c) {
  return c->size > 7 && memcmp(c->got + c->size - 7, "\r\n0\r\n\r\n", 7) == 0;
}

static void on_closed(void *context) {
  (void)context;
}

/* What arrives is decoded as far as it was let go of, before the stream goes on. */
static void test_streams(void **state) {
  (void)state;
  struct fixture *f = &fixture_of_test;
  struct client *c = &client_of_test;
  for (size_t k = 0; k < 2; k++) {
    begin_large(f);
    dial(f, c);
    forget(c);
    char head[100];
    snprintf(head, sizeof head, "GET /keep HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\n\r\n",
             http_coding_name(codings[k]));
    tell(c, head);
    while (f->n_kept == 0)
      turn(f);
    struct letters letters = {.exchange = f->kept[0]};
    struct http_reply reply = {.status = 200,
                               .content_type = "application/x-ndjson",
                               .stream = {read_letters, on_closed, &letters}};
    http_reply(letters.exchange, &reply);
    for (size_t n = 100; n <= 30000; n += n) {
      letters.n_let = n;
      http_wake(letters.exchange);
      for (size_t found = 0; found < n;) {
        turn(f);
        take(c);
        const char *at = strstr(c->got, "\r\n\r\n");
        char *body = malloc(BODY_MAX), *end;
        size_t size = 0;
        for (size_t m; at && (m = strtoul(at += at[0] == '\r' ? 4 : 0, &end, 16)) > 0;
             at = end + 2 + m + 2) {
          if (end + 2 + m + 2 > c->got + c->size)
            break;
          memcpy(body + size, end + 2, m);
          size += m;
        }
        struct undone undone = undo(codings[k], body, size, 4096, 4096, BODY_MAX);
        assert_int_equal(undone.state, DECODING_ON);
        assert_true(undone.size <= n && !undone.is_whole);
        found = undone.size;
        free(undone.bytes);
        free(body);
      }
    }
    letters.ends = true;
    http_wake(letters.exchange);
    while (!has_end(c)) {
      turn(f);
      take(c);
    }
    close(c->fd);
    end(f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bodies),        cmocka_unit_test(test_what_stays_as_it_is),
      cmocka_unit_test(test_little_memory), cmocka_unit_test(test_head),
      cmocka_unit_test(test_streams),
  };
  signal(SIGPIPE, SIG_IGN);
  fill_with_text(text, sizeof text);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
