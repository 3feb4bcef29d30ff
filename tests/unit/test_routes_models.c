#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_failed_model(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct fake_exchange one = fake_exchange("GET", "/"), all = fake_exchange("GET", "/");
  route_model(&fake.services, &one.public, "silicon");
  route_models(&fake.services, &all.public, NULL);
  assert_int_equal(one.reply.status, 200);
  assert_int_equal(all.reply.status, 200);
  assert_string_equal(fake_text(&one, "name"), "silicon");
  assert_string_equal(fake_text(&one, "state"), "failed");
  assert_int_equal(cJSON_GetObjectItem(one.json, "file_bytes")->valueint, strlen("damaged"));
  const cJSON *error = cJSON_GetObjectItem(one.json, "error");
  assert_string_equal(cJSON_GetObjectItem(error, "title")->valuestring, "damaged model file");
  assert_true(strlen(cJSON_GetObjectItem(error, "detail")->valuestring) > 0);
  assert_null(cJSON_GetObjectItem(one.json, "architecture"));
  const cJSON *models = cJSON_GetObjectItem(all.json, "models");
  assert_int_equal(cJSON_GetArraySize(models), 1);
  assert_true(cJSON_Compare(cJSON_GetArrayItem(models, 0), one.json, 1));
  fake_exchange_fini(&one);
  fake_exchange_fini(&all);
  assert_true(fake_daemon_fini(&fake));
}

static void test_no_models(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, NULL));
  struct fake_exchange one = fake_exchange("GET", "/"), all = fake_exchange("GET", "/");
  route_model(&fake.services, &one.public, "silicon");
  route_models(&fake.services, &all.public, NULL);
  assert_int_equal(one.reply.status, 404);
  assert_int_equal(all.reply.size, strlen("{\"models\":[]}\n"));
  fake_exchange_fini(&one);
  fake_exchange_fini(&all);
  assert_true(fake_daemon_fini(&fake));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_failed_model),
      cmocka_unit_test(test_no_models),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
