#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct fake_exchange ask(struct fake_daemon *fake, route_handler handler) {
  struct fake_exchange exchange = fake_exchange("GET", "/");
  handler(&fake->services, &exchange.public, NULL);
  assert_int_equal(exchange.n_replies, 1);
  return exchange;
}

static void expect_ready(struct fake_daemon *fake, const char *type) {
  struct fake_exchange exchange = ask(fake, route_ready);
  assert_int_equal(exchange.reply.status, 503);
  assert_true(exchange.reply.retry_after_s > 0);
  assert_string_equal(fake_text(&exchange, "type"), type);
  fake_exchange_fini(&exchange);
}

static void test_health(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  expect_ready(&fake, "urn:irrepd:model-loading");
  fake_daemon_settle(&fake);
  expect_ready(&fake, "urn:irrepd:model-not-ready");
  fake.services.draining = true;
  expect_ready(&fake, "urn:irrepd:draining");
  struct fake_exchange live = ask(&fake, route_live);
  assert_int_equal(live.reply.status, 200);
  assert_string_equal(fake_text(&live, "status"), "live");
  fake_exchange_fini(&live);
  assert_true(fake_daemon_fini(&fake));
}

static void test_status(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct fake_exchange exchange = ask(&fake, route_status);
  assert_int_equal(exchange.reply.status, 200);
  assert_string_equal(fake_text(&exchange, "state"), "failed");
  const cJSON *models = cJSON_GetObjectItem(exchange.json, "models");
  assert_int_equal(cJSON_GetArraySize(models), 1);
  const cJSON *model = cJSON_GetArrayItem(models, 0);
  assert_string_equal(cJSON_GetObjectItem(model, "name")->valuestring, "silicon");
  assert_string_equal(cJSON_GetObjectItem(model, "state")->valuestring, "failed");
  assert_true(strlen(cJSON_GetObjectItem(model, "error")->valuestring) > 0);
  const cJSON *limits = cJSON_GetObjectItem(exchange.json, "limits");
  assert_int_equal(cJSON_GetObjectItem(limits, "max_atoms")->valueint, 1000);
  const cJSON *memory = cJSON_GetObjectItem(exchange.json, "memory");
  assert_int_equal(cJSON_GetObjectItem(memory, "budget_bytes")->valueint, 1 << 24);
  assert_int_equal(cJSON_GetObjectItem(memory, "planned_bytes")->valueint, 0);
  fake_exchange_fini(&exchange);
  assert_true(fake_daemon_fini(&fake));
}

static void test_texts(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, NULL));
  metrics_http_rejected(fake.services.metrics, "framing");
  struct fake_exchange exchange = ask(&fake, route_metrics);
  assert_int_equal(exchange.reply.status, 200);
  assert_non_null(strstr(exchange.reply.body, "irrepd_http_rejected_total{reason=\"framing\"} 1"));
  fake_exchange_fini(&exchange);
  exchange = ask(&fake, route_openapi);
  assert_int_equal(exchange.reply.status, 200);
  assert_int_equal(strncmp(fake_text(&exchange, "openapi"), "3.1", 3), 0);
  fake_exchange_fini(&exchange);
  assert_true(fake_daemon_fini(&fake));
}

static void test_states(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  assert_string_equal(routes_state(&fake.services), "loading");
  fake_daemon_settle(&fake);
  assert_string_equal(routes_state(&fake.services), "failed");
  fake.services.draining = true;
  assert_string_equal(routes_state(&fake.services), "draining");
  assert_true(fake_daemon_fini(&fake));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_health),
      cmocka_unit_test(test_states),
      cmocka_unit_test(test_status),
      cmocka_unit_test(test_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
