#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const char body[] = "{\"structures\":[{\"numbers\":[14],\"positions\":[[0,0,0]]}]}";

static struct fake_exchange post(void) {
  struct fake_exchange exchange = fake_exchange("POST", "/v1/models/x/predict");
  exchange.public.body = exchange.public.body_memory = strdup(body);
  exchange.public.size = strlen(body);
  return exchange;
}

static void test_unknown_model(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, NULL));
  struct fake_exchange exchange = post();
  route_predict(&fake.services, &exchange.public, "nobody");
  assert_int_equal(exchange.n_replies, 1);
  assert_int_equal(exchange.reply.status, 404);
  assert_string_equal(fake_text(&exchange, "type"), "urn:irrepd:unknown-model");
  free(http_take_body(&exchange.public));
  fake_exchange_fini(&exchange);
  assert_true(fake_daemon_fini(&fake));
}

static void test_the_answer_comes_later_and_once(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct fake_exchange exchange = post();
  route_predict(&fake.services, &exchange.public, "silicon");
  assert_int_equal(exchange.n_replies, 0);
  assert_null(exchange.public.body_memory); /* it is the job's */
  assert_non_null(exchange.public.gone);
  WAIT_FOR(&fake.loop, exchange.n_replies != 0);
  assert_int_equal(exchange.reply.status, 503);
  assert_string_equal(exchange.reply.content_type, "application/problem+json");
  assert_true(exchange.reply.retry_after_s > 0);
  fake_exchange_fini(&exchange);
  assert_true(fake_daemon_fini(&fake));
}

static void test_a_client_that_has_gone_is_not_answered(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct fake_exchange exchange = post();
  route_predict(&fake.services, &exchange.public, "silicon");
  exchange.public.gone(exchange.public.gone_context);
  uv_run(&fake.loop, UV_RUN_NOWAIT);
  assert_int_equal(exchange.n_replies, 0);
  assert_true(fake_daemon_fini(&fake));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unknown_model),
      cmocka_unit_test(test_the_answer_comes_later_and_once),
      cmocka_unit_test(test_a_client_that_has_gone_is_not_answered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
