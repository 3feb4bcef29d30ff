#include "server/http/wire.h"
#include "tests/unit/support_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define GET "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(fields) "POST /a HTTP/1.1\r\nHost: x\r\n" fields "\r\n"
#define CHUNKED POST("Transfer-Encoding: chunked\r\n")

/* Whatever the pieces that bytes come in. */
static void expect(const char *bytes, size_t size, const char *through, size_t through_size,
                   enum wire_fault_kind fault, uint64_t n_heads) {
  static const size_t pieces[] = {1, 2, 3, 7, 1000000};
  for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++)
    for (size_t ask = 1; ask < 4000; ask = ask * 7 + 1) {
      struct passed passed = pass(bytes, size, pieces[p], ask);
      if (passed.size != through_size || memcmp(passed.bytes, through, passed.size) != 0)
        fail_msg("%s: pieces of %zu, asked for %zu: passed %.*s", bytes, pieces[p], ask,
                 passed.size == SIZE_MAX ? 0 : (int)passed.size, passed.bytes);
      assert_int_equal(passed.wire.fault.kind, fault);
      assert_int_equal(passed.wire.n_heads, n_heads);
      free(passed.bytes);
    }
}

#define PASSES(text, n_heads)                                                                      \
  expect(text, sizeof(text) - 1, text, sizeof(text) - 1, WIRE_FINE, n_heads)
#define REFUSES(good, n_heads, bad)                                                                \
  expect(good bad, sizeof(good bad) - 1, good, sizeof(good) - 1, WIRE_MALFORMED, n_heads)

static void test_passes_requests(void **state) {
  (void)state;
  PASSES("", 0);
  PASSES(GET, 1);
  PASSES("\r\n" GET, 1);
  PASSES(GET GET "\r\n" GET, 3);
  PASSES("GET / HTTP/1.0\r\n\r\n", 1);
  PASSES(POST("Content-Length: 5\r\n") "a\n\0\r\n" GET, 2);
  PASSES(POST("Content-Length: 0\r\n") GET, 2);
  PASSES(CHUNKED "3\r\na\n\0\r\n10 ;x=\"y\"\r\n0123456789abcdef\r\n0\r\n\r\n" GET, 2);
  PASSES(POST("X:\r\nY: \t \r\nZ: \xc3\xa9\r\n"), 1);
}

static void test_drops_trailers(void **state) {
  (void)state;
  static const char text[] = CHUNKED "1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n" GET;
  static const char through[] = CHUNKED "1\r\na\r\n0\r\n\r\n" GET;
  expect(text, sizeof text - 1, through, sizeof through - 1, WIRE_FINE, 2);
}

static void test_refuses_heads(void **state) {
  (void)state;
  REFUSES("", 0, "GET\r\n\r\n");
  REFUSES("", 0, "GET /a\r\n\r\n");
  REFUSES("", 0, "GET  /a HTTP/1.1\r\nHost: x\r\n\r\n");
  REFUSES("", 0, "GET /a HTTP/1.1 \r\nHost: x\r\n\r\n");
  REFUSES("", 0, "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n");
  REFUSES("", 0, "GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n");
  REFUSES("", 0, "GET / HTTP/a.b\r\nHost: x\r\n\r\n");
  REFUSES("", 0, "GET / HTTP/1.1\nHost: x\r\n\r\n");
  REFUSES(GET, 1, "GET / HTTP/1.1\r\nHost: x\n\r\n");
  REFUSES(GET, 1, "GET / HTTP/1.1\r\nHost: x\r\n\n");
  REFUSES("", 0, "GET / HTTP/1.1\r\nHost: x\rY: 1\r\n\r\n");
  REFUSES("", 0, "GET / HTTP/1.1\r\nHost: x\0\r\n\r\n");
  REFUSES("", 0, "GET / HTTP/1.1\r\nHost: x\0\n\r\n");
  REFUSES("", 0, "GET / HTTP/1.1\r\nHost: x\r\n Y: 1\r\n\r\n");
  REFUSES("", 0, "GET / HTTP/1.1\r\n\tHost: x\r\n\r\n");
  REFUSES("", 0, "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n");
  REFUSES("", 0, "GET / HTTP/1.1\r\nHost: x\r\n: 1\r\n\r\n");
  REFUSES("", 0, "GET / HTTP/1.1\r\n\r\n");
  REFUSES("", 0, POST("Content-Length: +5\r\n") "hello");
  REFUSES("", 0, POST("Content-Length: 5, 5\r\n") "hello");
  REFUSES("", 0, POST("Content-Length: 5 \r\n") "hello");
  REFUSES("", 0, POST("Content-Length:\r\n") "hello");
  REFUSES("", 0, POST("Content-Length: 18446744073709551616\r\n"));
  REFUSES("", 0, POST("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"));
}

static void test_refuses_chunks(void **state) {
  (void)state;
  REFUSES(CHUNKED, 1, "g\r\n");
  REFUSES(CHUNKED, 1, "\r\n");
  REFUSES(CHUNKED, 1, "1 2\r\n");
  REFUSES(CHUNKED, 1, "0x1\r\n");
  REFUSES(CHUNKED, 1, "8000000000000000\r\n");
  REFUSES(CHUNKED, 1, "00000000000000001\r\n");
  REFUSES(CHUNKED, 1, "1\n");
  REFUSES(CHUNKED "1\r\na", 1, "b");
  REFUSES(CHUNKED "1\r\na", 1, "\n");
  REFUSES(CHUNKED "1\r\na", 1, "\rb");
  REFUSES(CHUNKED "1\r\na\r\n0\r\n", 1, "X\r\n");
  REFUSES(CHUNKED "1\r\na\r\n0\r\n", 1, " X: y\r\n");
}

static void test_faults_of_bodies_are_told_apart(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool in_body;
  } cases[] = {{CHUNKED "g\r\n", true}, {GET "G\n", false}, {CHUNKED "0\r\n\r\nG\n", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct passed passed = pass(cases[i].text, strlen(cases[i].text), 3, 100);
    assert_int_equal(passed.wire.state, WIRE_REFUSED);
    assert_int_equal(passed.wire.in_body, cases[i].in_body);
    free(passed.bytes);
  }
}

/* A text of `n` times `middle` between two others, for free(). */
static char *repeated(const char *begin, const char *middle, size_t n, const char *end) {
  char *text = malloc(strlen(begin) + n * strlen(middle) + strlen(end) + 1), *at = text;
  at += sprintf(at, "%s", begin);
  for (size_t i = 0; i < n; i++)
    at += sprintf(at, "%s", middle);
  sprintf(at, "%s", end);
  return text;
}

static void expect_fault(char *text, enum wire_fault_kind fault) {
  static const size_t pieces[] = {100, 5000, 1000000};
  for (size_t p = 0; p < 3; p++) {
    struct passed passed = pass(text, strlen(text), pieces[p], 5000);
    assert_int_equal(passed.wire.fault.kind, fault);
    free(passed.bytes);
  }
  free(text);
}

static void test_bounds(void **state) {
  (void)state;
  const char *end = " HTTP/1.1\r\nHost: x\r\n\r\n";
  const size_t rest = strlen("GET /") + strlen(end);
  expect_fault(repeated("GET /", "a", HTTP_HEADERS_MAX - rest, end), WIRE_FINE);
  expect_fault(repeated("GET /", "a", HTTP_HEADERS_MAX - rest + 1, end), WIRE_HEADERS);
  expect_fault(repeated("GET /", "a", HTTP_HEADERS_MAX, end), WIRE_TARGET);
  expect_fault(repeated("GET /", "a", 100000, ""), WIRE_TARGET);
  const char *head = "GET / HTTP/1.1\r\nHost: x\r\n";
  expect_fault(repeated(head, "X: y\r\n", HTTP_FIELDS_MAX - 1, "\r\n"), WIRE_FINE);
  expect_fault(repeated(head, "X: y\r\n", HTTP_FIELDS_MAX, "\r\n"), WIRE_HEADERS);
  expect_fault(repeated(head, "X: y\r\n", 100000, ""), WIRE_HEADERS);
  expect_fault(repeated(CHUNKED "1;", "x", 200, "\r\na\r\n0\r\n\r\n"), WIRE_FINE);
  expect_fault(repeated(CHUNKED "1;", "x", 300, "\r\na\r\n0\r\n\r\n"), WIRE_MALFORMED);
  expect_fault(repeated(CHUNKED "0\r\n", "X: y\r\n", 600, "\r\n"), WIRE_FINE);
  expect_fault(repeated(CHUNKED "0\r\n", "X: y\r\n", 700, "\r\n"), WIRE_MALFORMED);
}

static void test_versions(void **state) {
  (void)state;
  expect_fault(repeated("GET / HTTP/2.0\r\nHost: x\r\n", "", 0, "\r\n"), WIRE_VERSION);
  expect_fault(repeated("GET / HTTP/1.2\r\nHost: x\r\n", "", 0, "\r\n"), WIRE_VERSION);
}

static void test_tells_what_it_could_read(void **state) {
  (void)state;
  static const char text[] =
      "PUT /a%62?c HTTP/1.1\r\nX-Request-Id: me\r\nContent-Length: x\r\n\r\n";
  struct passed passed = pass(text, sizeof text - 1, 5, 100);
  assert_string_equal(passed.request.method, "PUT");
  assert_string_equal(passed.request.path, "/ab");
  assert_string_equal(passed.request.request_id, "me");
  free(passed.bytes);
}

/* What was held back is given when the rest has come, and nothing is held after that. */
static void test_holds_no_more_than_it_must(void **state) {
  (void)state;
  struct wire wire;
  struct wire_request request;
  struct stream stream = {GET, sizeof GET - 1, 0, 1, 10};
  char bytes[100];
  wire_init(&wire);
  assert_int_equal(wire_receive(&wire, stream_read, &stream, bytes, sizeof bytes, &request), -1);
  assert_int_equal(errno, EAGAIN);
  assert_non_null(wire.held);
  assert_int_equal(wire.used, 10);
  stream.arrived = sizeof GET - 1;
  assert_int_equal(wire_receive(&wire, stream_read, &stream, bytes, sizeof bytes, &request),
                   sizeof GET - 1);
  assert_null(wire.held);
  wire_fini(&wire);
}

static void test_problems(void **state) {
  (void)state;
  static const struct {
    struct wire_fault fault;
    int status;
    const char *reason;
  } cases[] = {{{WIRE_MALFORMED, "it is odd"}, 400, "framing"},
               {{WIRE_TARGET, NULL}, 414, "headers"},
               {{WIRE_HEADERS, NULL}, 431, "headers"},
               {{WIRE_VERSION, NULL}, 505, "framing"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct problem problem;
    assert_string_equal(wire_problem(&cases[i].fault, &problem), cases[i].reason);
    assert_int_equal(problem.status, cases[i].status);
    if (cases[i].fault.words != NULL)
      assert_non_null(strstr(problem.detail, cases[i].fault.words));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_passes_requests),
      cmocka_unit_test(test_drops_trailers),
      cmocka_unit_test(test_refuses_heads),
      cmocka_unit_test(test_refuses_chunks),
      cmocka_unit_test(test_faults_of_bodies_are_told_apart),
      cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_versions),
      cmocka_unit_test(test_tells_what_it_could_read),
      cmocka_unit_test(test_holds_no_more_than_it_must),
      cmocka_unit_test(test_problems),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
