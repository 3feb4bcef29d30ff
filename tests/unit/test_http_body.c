#include "server/http/http_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static char bytes[100000];

static void test_growth(void **state) {
  (void)state;
  struct http_budget budget = {.max_body_bytes = sizeof bytes, .max_receiving_bytes = 1 << 20};
  struct http_body body = {0};
  struct problem problem;
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (char)(i * 7 % 251);
  size_t sent = 0;
  for (size_t n = 0; sent < sizeof bytes; n += 13) {
    const size_t part = n < sizeof bytes - sent ? n : sizeof bytes - sent;
    assert_null(http_body_append(&body, &budget, SIZE_MAX, bytes + sent, part, &problem));
    sent += part;
    assert_int_equal(body.size, sent);
    assert_true(budget.used == body.capacity && body.capacity >= sent);
  }
  assert_memory_equal(body.bytes, bytes, sizeof bytes);
  assert_string_equal(http_body_append(&body, &budget, SIZE_MAX, "x", 1, &problem), "body");
  assert_int_equal(problem.status, 413);
  assert_int_equal(body.size, sizeof bytes);
  http_body_drop(&body, &budget);
  assert_true(budget.used == 0 && !body.bytes && body.size == 0);
}

/* As by a reload while it arrives. */
static void test_a_lower_limit(void **state) {
  (void)state;
  struct http_budget budget = {.max_body_bytes = 1000, .max_receiving_bytes = 1 << 20};
  struct http_body body = {0};
  struct problem problem;
  assert_null(http_body_append(&body, &budget, SIZE_MAX, bytes, 500, &problem));
  budget.max_body_bytes = 400;
  assert_string_equal(http_body_append(&body, &budget, SIZE_MAX, bytes, 1, &problem), "body");
  http_body_drop(&body, &budget);
}

static void test_no_more_than_announced(void **state) {
  (void)state;
  struct http_budget budget = {.max_body_bytes = sizeof bytes, .max_receiving_bytes = 1 << 20};
  struct http_body body = {0};
  struct problem problem;
  assert_null(http_body_append(&body, &budget, 100, bytes, 10, &problem));
  assert_int_equal(budget.used, 100);
  assert_null(http_body_append(&body, &budget, 100, bytes, 90, &problem));
  assert_int_equal(budget.used, 100);
  http_body_drop(&body, &budget);
}

static void test_shared_budget(void **state) {
  (void)state;
  struct http_budget budget = {.max_body_bytes = 1000, .max_receiving_bytes = 1500};
  struct http_body first = {0}, second = {0};
  struct problem problem;
  assert_null(http_body_append(&first, &budget, 1000, bytes, 1, &problem));
  assert_string_equal(http_body_append(&second, &budget, 501, bytes, 1, &problem), "memory");
  assert_int_equal(problem.status, 503);
  assert_null(second.bytes);
  assert_null(http_body_append(&second, &budget, 500, bytes, 500, &problem));
  assert_null(http_body_append(&first, &budget, 1000, bytes, 999, &problem));
  assert_int_equal(budget.used, 1500);
  http_body_drop(&first, &budget);
  assert_int_equal(budget.used, 500);
  http_body_drop(&second, &budget);
  http_body_drop(&second, &budget);
  assert_int_equal(budget.used, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_growth),
      cmocka_unit_test(test_no_more_than_announced),
      cmocka_unit_test(test_a_lower_limit),
      cmocka_unit_test(test_shared_budget),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
