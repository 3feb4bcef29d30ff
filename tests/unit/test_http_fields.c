#include "server/http/http_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_fields(void **state) {
  (void)state;
  struct http_exchange exchange = {0};
  assert_true(http_fields_keep(&exchange, "Content-TYPE", "a/b"));
  assert_true(http_fields_keep(&exchange, "origin", "http://x"));
  assert_string_equal(exchange.content_type, "a/b");
  assert_string_equal(exchange.origin, "http://x");
  assert_null(exchange.content_encoding);
  assert_false(http_fields_keep(&exchange, "content", "a/b"));
}

static void test_fields_given_again(void **state) {
  (void)state;
  struct http_exchange exchange = {0};
  for (int i = 0; i < 3; i++)
    assert_true(http_fields_keep(&exchange, "authorization", "Bearer a"));
  assert_string_equal(exchange.authorization, "");
}

static void test_proxies(void **state) {
  (void)state;
  static const char *const fields[] = {"Via", "forwarded", "X-Forwarded-For", "x-forwarded-any"};
  for (size_t i = 0; i < 4; i++) {
    struct http_exchange exchange = {0};
    assert_true(http_fields_keep(&exchange, fields[i], "x"));
    assert_true(exchange.forwarded);
  }
  struct http_exchange exchange = {0};
  assert_false(http_fields_keep(&exchange, "X-Forwarded", "x"));
  assert_false(exchange.forwarded);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields),
      cmocka_unit_test(test_fields_given_again),
      cmocka_unit_test(test_proxies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
