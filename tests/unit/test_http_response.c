#include "server/base/pieces.h"
#include "server/http/http_response.h"

#include <microhttpd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void expect(struct MHD_Response *response, const char *name, const char *value) {
  const char *given = MHD_get_response_header(response, name);
  if (!value)
    assert_null(given);
  else
    assert_string_equal(given, value);
}

static void test_plain(void **state) {
  (void)state;
  struct http_reply reply = {.status = 200, .content_type = "text/plain", .size = 2};
  reply.body = strdup("ok");
  struct MHD_Response *response = http_response(&reply, "id-1", false, NULL, NULL);
  assert_non_null(response);
  expect(response, "Content-Type", "text/plain");
  expect(response, "X-Request-Id", "id-1");
  expect(response, "Cache-Control", "no-store");
  expect(response, "Retry-After", NULL);
  expect(response, "Inference-Header-Content-Length", NULL);
  expect(response, "Allow", NULL);
  expect(response, "WWW-Authenticate", NULL);
  expect(response, "Connection", NULL);
  MHD_destroy_response(response);
}

static void test_all_fields(void **state) {
  (void)state;
  struct http_reply reply = {.status = 401,
                             .content_type = "text/plain",
                             .retry_after_s = 3,
                             .inference_header_size = 77,
                             .allow = "GET",
                             .cache_control = "no-cache",
                             .fields = (const struct http_field[]){{"ETag", "\"1\""}},
                             .n_fields = 1};
  struct MHD_Response *response = http_response(&reply, "id-1", true, NULL, NULL);
  assert_non_null(response);
  expect(response, "Retry-After", "3");
  expect(response, "Inference-Header-Content-Length", "77");
  expect(response, "Allow", "GET");
  expect(response, "Cache-Control", "no-cache");
  expect(response, "ETag", "\"1\"");
  expect(response, "WWW-Authenticate", "Bearer");
  expect(response, "Connection", "close");
  MHD_destroy_response(response);
}

/* n pieces that do not lie together. */
static struct http_reply reply_in_pieces(size_t n) {
  struct http_reply reply = {
      .status = 200, .content_type = "text/plain", .pieces = pieces_new(n, 1)};
  char *bytes = calloc(2, n);
  assert_non_null(reply.pieces);
  pieces_take(reply.pieces, bytes);
  for (size_t i = 0; i < n; i++)
    pieces_add(reply.pieces, bytes + 2 * i, 1);
  reply.size = n;
  return reply;
}

/* Few pieces are sent as they are, many are joined: their memory goes with the response. */
static void test_pieces(void **state) {
  (void)state;
  static const size_t numbers[] = {1, 256, 257, 5000};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    struct http_reply reply = reply_in_pieces(numbers[i]);
    struct MHD_Response *response = http_response(&reply, "id-1", false, NULL, NULL);
    assert_non_null(response);
    assert_int_equal(reply.pieces != NULL, numbers[i] <= 256);
    MHD_destroy_response(response);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_all_fields),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
