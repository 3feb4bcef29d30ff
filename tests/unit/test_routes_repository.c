#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct fake_daemon daemon_of_tests;

static int set_up(void **state) {
  (void)state;
  if (!fake_daemon_init(&daemon_of_tests, "damaged"))
    return -1;
  fake_daemon_settle(&daemon_of_tests);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  return fake_daemon_fini(&daemon_of_tests) ? 0 : -1;
}

static struct fake_exchange ask(const char *method, const char *path, const char *body) {
  struct fake_exchange fake = fake_exchange(method, path);
  fake.public.body = body;
  fake.public.size = body ? strlen(body) : 0;
  fake.public.local = true;
  routes_handle(&daemon_of_tests.services, &fake.public);
  assert_int_equal(fake.n_replies, 1);
  return fake;
}

/* The model's file is damaged. */
static void test_index(void **state) {
  (void)state;
  struct fake_exchange fake = ask("POST", "/v2/repository/index", NULL);
  assert_int_equal(fake.reply.status, 200);
  assert_int_equal(cJSON_GetArraySize(fake.json), 1);
  const cJSON *model = cJSON_GetArrayItem(fake.json, 0);
  assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(model, "name")), "silicon");
  assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(model, "version")), "1");
  assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(model, "state")), "UNAVAILABLE");
  assert_true(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(model, "reason"))) > 0);
  fake_exchange_fini(&fake);
  fake = ask("POST", "/v2/repository/index", "{\"ready\":true}");
  assert_int_equal(cJSON_GetArraySize(fake.json), 0);
  fake_exchange_fini(&fake);
  fake = ask("POST", "/v2/repository/index", "{\"ready\":false}");
  assert_int_equal(cJSON_GetArraySize(fake.json), 1);
  fake_exchange_fini(&fake);
}

static void test_bodies(void **state) {
  (void)state;
  static const struct {
    const char *path, *body, *type, *pointer;
  } rows[] = {
      {"index", "{", "urn:irrepd:malformed-json", NULL},
      {"index", "[]", "urn:irrepd:wrong-value", "#"},
      {"index", "{\"ready\":null}", "urn:irrepd:wrong-value", "#/ready"},
      {"index", "{\"ready\":true,\"ready\":true}", "urn:irrepd:duplicate-key", "#/ready"},
      {"index", "{\"parameters\":{}}", "urn:irrepd:unknown-key", "#/parameters"},
      {"models/silicon/load", "{\"parameters\":{\"config\":\"{}\"}}", "urn:irrepd:unknown-key",
       "#/parameters/config"},
      {"models/silicon/load", "{\"parameters\":1}", "urn:irrepd:wrong-value", "#/parameters"},
      {"models/silicon/load", "1", "urn:irrepd:wrong-value", "#"},
      {"models/silicon/unload", "{\"parameters\":{\"unload_dependents\":0}}",
       "urn:irrepd:wrong-value", "#/parameters/unload_dependents"},
      {"models/nobody/load", NULL, "urn:irrepd:unknown-model", NULL},
      {"models/nobody/unload", NULL, "urn:irrepd:unknown-model", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char path[64];
    snprintf(path, sizeof path, "/v2/repository/%s", rows[i].path);
    struct fake_exchange fake = ask("POST", path, rows[i].body);
    assert_string_equal(fake_text(&fake, "type"), rows[i].type);
    const cJSON *errors = cJSON_GetObjectItem(fake.json, "errors");
    const cJSON *pointer = cJSON_GetObjectItem(cJSON_GetArrayItem(errors, 0), "pointer");
    if (rows[i].pointer)
      assert_string_equal(cJSON_GetStringValue(pointer), rows[i].pointer);
    fake_exchange_fini(&fake);
  }
}

static void test_unload(void **state) {
  (void)state;
  struct fake_exchange fake = ask("POST", "/v2/repository/models/silicon/unload",
                                  "{\"parameters\":{\"unload_dependents\":true}}");
  assert_int_equal(fake.reply.status, 200);
  fake_exchange_fini(&fake);
}

static void test_statistics(void **state) {
  (void)state;
  static const char *const paths[] = {"/v2/models/stats", "/v2/models/silicon/stats",
                                      "/v2/models/silicon/versions/1/stats"};
  metrics_structure_done(daemon_of_tests.services.metrics, "silicon", "ok", 2, 4);
  metrics_batch(daemon_of_tests.services.metrics, "silicon", "full", 1, 2, 0.5);
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    struct fake_exchange fake = ask("GET", paths[i], NULL);
    const cJSON *list = cJSON_GetObjectItem(fake.json, "model_stats");
    assert_int_equal(cJSON_GetArraySize(list), 1);
    const cJSON *one = cJSON_GetArrayItem(list, 0);
    assert_true(cJSON_GetObjectItem(one, "inference_count")->valuedouble == 1);
    assert_true(cJSON_GetObjectItem(one, "execution_count")->valuedouble == 1);
    const cJSON *stats = cJSON_GetObjectItem(one, "inference_stats");
    const cJSON *infer = cJSON_GetObjectItem(stats, "compute_infer");
    assert_true(cJSON_GetObjectItem(infer, "ns")->valuedouble == 5e8);
    fake_exchange_fini(&fake);
  }
  struct fake_exchange fake = ask("GET", "/v2/models/nobody/stats", NULL);
  assert_int_equal(fake.reply.status, 404);
  fake_exchange_fini(&fake);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_index),
      cmocka_unit_test(test_bodies),
      cmocka_unit_test(test_statistics),
      cmocka_unit_test(test_unload),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
