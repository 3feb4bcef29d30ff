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
  routes_handle(&daemon_of_tests.services, &fake.public);
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
  expect("GET", "/", 200, "/");
  expect("GET", "/page/main.js", 200, "/page/{file}");
  expect("GET", "/page/nothing", 404, "/page/{file}");
  static const char *const none[] = {"/v1",
                                     "/page",
                                     "/page/",
                                     "/page/a/main.js",
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
  expect_types("GET", "/", json, NULL, NULL, 406);
  expect_types("GET", "/page/style.css", "text/css,*/*;q=0.1", NULL, NULL, 200);
  expect_types("POST", predict, "text/html", json, NULL, 406);
  expect_types("POST", predict, NULL, NULL, NULL, 415);
  expect_types("POST", predict, NULL, "text/json", NULL, 415);
  expect_types("POST", predict, NULL, json, "gzip", 415);
  expect_types("POST", predict, NULL, json, "Identity", 404);
}

/* With keys, even this machine needs one; the client is known by its name. */
static void test_keys(void **state) {
  (void)state;
  struct auth *auth = calloc(1, sizeof *auth + sizeof *auth->keys);
  assert_non_null(auth);
  auth->n_keys = 1; /* of "abc" (FIPS 180-2, B.1) */
  auth->keys[0] =
      (struct auth_key){.name = "lab",
                        .scopes = SCOPE_PREDICT,
                        .hash = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad}};
  static const struct {
    const char *method, *path, *authorization;
    int status;
  } rows[] = {{"GET", "/v1/health/live", NULL, 200},
              {"GET", "/v1/models", NULL, 401},
              {"GET", "/v1/models", "Bearer abd", 401},
              {"GET", "/v1/models", "Bearer abc", 200},
              {"POST", "/v1/models/nobody/predict", NULL, 401},
              {"POST", "/v1/models/nobody/predict", "Bearer abc", 404},
              {"POST", "/v1/models/silicon/load", NULL, 401},
              {"POST", "/v1/models/silicon/load", "Bearer abc", 403}};
  daemon_of_tests.services.auth = auth;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fake_exchange fake = fake_exchange(rows[i].method, rows[i].path);
    fake.public.content_type = "application/json";
    fake.public.authorization = rows[i].authorization;
    fake.public.local = true;
    fake.public.client = "here";
    const bool refused = rows[i].status == 401 || rows[i].status == 403;
    struct problem problem;
    assert_true(routes_admit(&daemon_of_tests.services, &fake.public, &problem) == !refused);
    assert_true(!refused || problem.status == rows[i].status);
    routes_handle(&daemon_of_tests.services, &fake.public);
    assert_int_equal(fake.n_replies, 1);
    if (fake.reply.status != rows[i].status)
      fail_msg("%s %s: %d", rows[i].method, rows[i].path, fake.reply.status);
    assert_string_equal(fake.public.client, rows[i].authorization && !refused ? "lab" : "here");
    fake_exchange_fini(&fake);
  }
  daemon_of_tests.services.auth = NULL;
  auth_free(auth);
}

/* Binary bodies are for predictions and estimates, and decide with Accept about the answer. */
static void test_binary_bodies(void **state) {
  (void)state;
  static const char type[] = "application/x-safetensors";
  static const struct {
    const char *path, *accept, *type;
    int status;
  } rows[] = {{"/v1/models/nobody/predict", NULL, type, 404},
              {"/v1/models/nobody/predict", type, type, 404},
              {"/v1/models/nobody/predict", "application/json", type, 404},
              {"/v1/models/nobody/predict", "text/plain", type, 406},
              {"/v1/models/nobody/predict", type, "application/json", 406},
              {"/v1/models/nobody/estimate", NULL, type, 404},
              {"/v1/models/nobody/estimate", type, type, 406}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fake_exchange fake = ask("POST", rows[i].path, rows[i].accept, rows[i].type, NULL);
    if (fake.reply.status != rows[i].status)
      fail_msg("%s, Accept %s: %d", rows[i].path, rows[i].accept, fake.reply.status);
    fake_exchange_fini(&fake);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths),   cmocka_unit_test(test_long_names),
      cmocka_unit_test(test_methods), cmocka_unit_test(test_media_types),
      cmocka_unit_test(test_keys),    cmocka_unit_test(test_binary_bodies),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
