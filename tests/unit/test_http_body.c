#include "server/http/http_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define FIRST HTTP_BODY_FIRST

static char bytes[100000];

static struct ledger ledger;

static struct http_budget budget_of(size_t max_body_bytes, size_t all) {
  ledger_init(&ledger, 0, 0, all);
  return (struct http_budget){.max_body_bytes = max_body_bytes, .ledger = &ledger};
}

static size_t used(void) {
  return ledger.used[LEDGER_BODIES];
}

static void test_growth(void **state) {
  (void)state;
  struct http_budget budget = budget_of(sizeof bytes, 1 << 20);
  struct http_body body = {0};
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (char)(i * 7 % 251);
  size_t sent = 0;
  for (size_t n = 0; sent < sizeof bytes; n += 13) {
    const size_t part = n < sizeof bytes - sent ? n : sizeof bytes - sent;
    assert_int_equal(http_body_make_room(&body, &budget, SIZE_MAX, part, false), HTTP_ROOM);
    http_body_append(&body, bytes + sent, part);
    sent += part;
    assert_int_equal(body.size, sent);
    assert_true(body.capacity >= sent && body.capacity <= sizeof bytes);
    assert_int_equal(used(), body.capacity > FIRST ? body.capacity - FIRST : 0);
  }
  assert_memory_equal(body.bytes, bytes, sizeof bytes);
  assert_int_equal(http_body_make_room(&body, &budget, SIZE_MAX, 1, false), HTTP_ROOM_NEVER);
  assert_int_equal(body.size, sizeof bytes);
  http_body_drop(&body, &budget);
  assert_true(used() == 0 && !body.bytes && body.size == 0);
}

/* As by a reload while it arrives. */
static void test_a_lower_limit(void **state) {
  (void)state;
  struct http_budget budget = budget_of(1000, 1 << 20);
  struct http_body body = {0};
  assert_int_equal(http_body_make_room(&body, &budget, SIZE_MAX, 500, false), HTTP_ROOM);
  http_body_append(&body, bytes, 500);
  budget.max_body_bytes = 400;
  assert_int_equal(http_body_make_room(&body, &budget, SIZE_MAX, 1, false), HTTP_ROOM_NEVER);
  http_body_drop(&body, &budget);
}

static void test_no_more_than_announced(void **state) {
  (void)state;
  struct http_budget budget = budget_of(sizeof bytes, 1 << 20);
  struct http_body body = {0};
  assert_int_equal(http_body_make_room(&body, &budget, 100, 10, false), HTTP_ROOM);
  http_body_append(&body, bytes, 10);
  assert_int_equal(body.capacity, 100);
  assert_int_equal(http_body_make_room(&body, &budget, 100, 90, false), HTTP_ROOM);
  assert_true(body.capacity == 100 && used() == 0);
  http_body_drop(&body, &budget);
}

/* A body leaves as much as another may take; the favoured one takes that. */
static void test_shared_budget(void **state) {
  (void)state;
  const size_t most = 3 * FIRST, two = 2 * FIRST;
  struct http_budget budget = budget_of(most, 2 * most);
  struct http_body first = {0}, second = {0}, third = {0};
  assert_int_equal(http_body_make_room(&first, &budget, most, most, false), HTTP_ROOM);
  assert_int_equal(used(), two);
  assert_int_equal(http_body_make_room(&second, &budget, most, most, false), HTTP_ROOM_LATER);
  assert_true(!second.bytes && used() == two);
  assert_int_equal(http_body_make_room(&second, &budget, most, FIRST + 1, true), HTTP_ROOM);
  assert_int_equal(http_body_make_room(&third, &budget, most, two, false), HTTP_ROOM_LATER);
  assert_int_equal(http_body_make_room(&third, &budget, FIRST, FIRST, false), HTTP_ROOM);
  http_body_append(&first, bytes, FIRST);
  http_body_trim(&first, &budget);
  assert_int_equal(first.capacity, FIRST);
  assert_int_equal(http_body_make_room(&third, &budget, two, two, false), HTTP_ROOM);
  http_body_drop(&first, &budget);
  http_body_drop(&second, &budget);
  http_body_drop(&second, &budget);
  assert_int_equal(used(), FIRST);
  http_body_drop(&third, &budget);
  assert_int_equal(used(), 0);
}

/* What a decoder holds counts with the body until it has gone. */
static void test_beside(void **state) {
  (void)state;
  struct http_budget budget = budget_of(sizeof bytes, 1 << 20);
  struct http_body body = {0};
  assert_int_equal(http_body_make_beside(&body, &budget, 1000, false), HTTP_ROOM);
  assert_int_equal(http_body_make_room(&body, &budget, SIZE_MAX, 2 * FIRST, false), HTTP_ROOM);
  assert_int_equal(used(), 1000 + FIRST);
  assert_int_equal(http_body_make_beside(&body, &budget, 900, false), HTTP_ROOM);
  assert_int_equal(http_body_make_beside(&body, &budget, 1500, false), HTTP_ROOM);
  assert_int_equal(used(), 1500 + FIRST);
  assert_int_equal(http_body_make_beside(&body, &budget, (1 << 20) + 1, true), HTTP_ROOM_NEVER);
  assert_int_equal(http_body_make_beside(&body, &budget, 1 << 20, true), HTTP_ROOM_LATER);
  http_body_append(&body, bytes, 2 * FIRST);
  http_body_trim(&body, &budget);
  assert_int_equal(used(), FIRST);
  assert_int_equal(http_body_make_beside(&body, &budget, 700, false), HTTP_ROOM);
  http_body_drop(&body, &budget);
  assert_int_equal(used(), 0);
}

/* What all bodies together may take is the most of one, too. */
static void test_little_memory(void **state) {
  (void)state;
  struct http_budget budget = budget_of(sizeof bytes, 2000);
  struct http_body body = {0};
  assert_int_equal(http_body_most(&budget), 2000);
  assert_int_equal(http_body_make_room(&body, &budget, SIZE_MAX, 2001, false), HTTP_ROOM_NEVER);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_growth),        cmocka_unit_test(test_no_more_than_announced),
      cmocka_unit_test(test_a_lower_limit), cmocka_unit_test(test_shared_budget),
      cmocka_unit_test(test_little_memory), cmocka_unit_test(test_beside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
