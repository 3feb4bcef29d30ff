#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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

static struct fake_exchange ask(const char *method, const char *path, const char *accept,
                                const char *type, const char *encoding) {
  struct fake_exchange fake = fake_exchange(method, path);
  fake.public.accept = accept;
  fake.public.content_type = type;
  fake.public.content_encoding = encoding;
  routes_handle(&daemon_of_tests.routes, &fake.public);
  assert_int_equal(fake.n_replies, 1);
  return fake;
}

static void expect(const char *method, const char *path, int status, const char *route) {
  struct fake_exchange fake = ask(method, path, NULL, "application/json", NULL);
  if (fake.reply.status != status || strcmp(fake.public.route, route) != 0)
    fail_msg("%s %s: %d by %s", method, path, fake.reply.status, fake.public.route);
  fake_exchange_fini(&fake);
}

static void test_paths(void **state) {
  (void)state;
  expect("GET", "/v1/health/live", 200, "/v1/health/live");
  expect("HEAD", "/v1/health/live", 200, "/v1/health/live");
  expect("GET", "/v1/health/ready", 503, "/v1/health/ready");
  expect("GET", "/v1/status", 200, "/v1/status");
  expect("GET", "/metrics", 200, "/metrics");
  expect("GET", "/openapi.json", 200, "/openapi.json");
  expect("GET", "/v1/models", 200, "/v1/models");
  expect("GET", "/v1/models/silicon", 200, "/v1/models/{m}");
  expect("GET", "/v1/models/nobody", 404, "/v1/models/{m}");
  expect("POST", "/v1/models/nobody/predict", 404, "/v1/models/{m}/predict");
  static const char *const none[] = {"/",
                                     "/v1",
                                     "/v1/models/",
                                     "/v1/models//predict",
                                     "/v1/models/silicon/",
                                     "/v1/models/silicon/predict/",
                                     "/v1/models/silicon/x",
                                     "/v1/modelsx",
                                     "/V1/models",
                                     "//v1/models"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    expect("GET", none[i], 404, "other");
}

static void test_long_names(void **state) {
  (void)state;
  char path[300] = "/v1/models/";
  memset(path + strlen(path), 'm', 127);
  expect("GET", path, 404, "/v1/models/{m}");
  path[strlen(path)] = 'm';
  expect("GET", path, 404, "other");
}

static void test_methods(void **state) {
  (void)state;
  static const char *const methods[] = {"POST", "PUT", "get", "", "GETX"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    struct fake_exchange fake = ask(methods[i], "/v1/models", NULL, NULL, NULL);
    assert_int_equal(fake.reply.status, 405);
    assert_string_equal(fake.reply.allow, "GET, HEAD");
    fake_exchange_fini(&fake);
  }
  struct fake_exchange fake = ask("GET", "/v1/models/silicon/predict", NULL, NULL, NULL);
  assert_int_equal(fake.reply.status, 405);
  assert_string_equal(fake.reply.allow, "POST");
  assert_string_equal(fake.reply.content_type, "application/problem+json");
  assert_string_equal(fake_text(&fake, "type"), "urn:irrepd:method-not-allowed");
  fake_exchange_fini(&fake);
}

static void expect_types(const char *method, const char *path, const char *accept, const char *type,
                         const char *encoding, int status) {
  struct fake_exchange fake = ask(method, path, accept, type, encoding);
  if (fake.reply.status != status)
    fail_msg("%s %s: %d", method, path, fake.reply.status);
  fake_exchange_fini(&fake);
}

static void test_media_types(void **state) {
  (void)state;
  const char *predict = "/v1/models/nobody/predict", *json = "application/json";
  expect_types("GET", "/v1/models", "text/html", NULL, NULL, 406);
  expect_types("GET", "/v1/models", json, "text/plain", "gzip", 200);
  expect_types("GET", "/metrics", "text/plain", NULL, NULL, 200);
  expect_types("GET", "/metrics", json, NULL, NULL, 406);
  expect_types("POST", predict, "text/html", json, NULL, 406);
  expect_types("POST", predict, NULL, NULL, NULL, 415);
  expect_types("POST", predict, NULL, "text/json", NULL, 415);
  expect_types("POST", predict, NULL, json, "gzip", 415);
  expect_types("POST", predict, NULL, json, "Identity", 404);
}

static void test_states(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  assert_string_equal(routes_state(&fake.routes), "loading");
  fake_daemon_settle(&fake);
  assert_string_equal(routes_state(&fake.routes), "failed");
  fake.routes.draining = true;
  assert_string_equal(routes_state(&fake.routes), "draining");
  assert_true(fake_daemon_fini(&fake));
}

static void test_replies(void **state) {
  (void)state;
  struct fake_exchange fake = fake_exchange("GET", "/");
  reply_text(&fake.public, 200, "text/plain", NULL, 0);
  assert_int_equal(fake.reply.status, 503);
  assert_true(fake.reply.retry_after_s > 0);
  assert_string_equal(fake_text(&fake, "type"), "urn:irrepd:no-memory");
  fake_exchange_fini(&fake);
  fake = fake_exchange("GET", "/");
  cJSON *root = cJSON_CreateObject();
  cJSON_AddNumberToObject(root, "a", 1);
  reply_json(&fake.public, 201, root);
  assert_int_equal(fake.reply.status, 201);
  assert_int_equal(fake.reply.size, strlen("{\"a\":1}"));
  fake_exchange_fini(&fake);
  fake = fake_exchange("GET", "/");
  reply_unknown_model(&fake.public, "\xff\"x");
  assert_int_equal(fake.reply.status, 404);
  assert_non_null(fake.json);
  fake_exchange_fini(&fake);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths),   cmocka_unit_test(test_long_names),
      cmocka_unit_test(test_methods), cmocka_unit_test(test_media_types),
      cmocka_unit_test(test_states),  cmocka_unit_test(test_replies),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
