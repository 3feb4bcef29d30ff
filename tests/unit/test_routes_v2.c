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

static struct fake_exchange ask(const char *method, const char *path) {
  struct fake_exchange fake = fake_exchange(method, path);
  routes_handle(&daemon_of_tests.services, &fake.public);
  assert_int_equal(fake.n_replies, 1);
  return fake;
}

static void expect(const char *method, const char *path, int status) {
  struct fake_exchange fake = ask(method, path);
  if (fake.reply.status != status)
    fail_msg("%s %s: %d", method, path, fake.reply.status);
  fake_exchange_fini(&fake);
}

static void test_paths(void **state) {
  (void)state;
  expect("GET", "/v2", 200);
  expect("GET", "/v2/health/live", 200);
  expect("GET", "/v2/health/ready", 503);
  expect("GET", "/v2/models/silicon", 200);
  expect("GET", "/v2/models/silicon/ready", 503);
  expect("GET", "/v2/models/nobody", 404);
  expect("GET", "/v2/models/nobody/ready", 404);
  expect("GET", "/v2/models/silicon/infer", 405);
  expect("POST", "/v2/models/nobody/infer", 404);
  expect("GET", "/v2/models/silicon/versions/1", 200);
  expect("GET", "/v2/models/silicon/versions/2", 404);
  expect("GET", "/v2/models/silicon/versions/1/config", 200);
}

static void test_metadata(void **state) {
  (void)state;
  struct fake_exchange fake = ask("GET", "/v2/models/silicon");
  assert_string_equal(fake_text(&fake, "name"), "silicon");
  const cJSON *inputs = cJSON_GetObjectItem(fake.json, "inputs");
  assert_int_equal(cJSON_GetArraySize(inputs), 5);
  const cJSON *cell = cJSON_GetArrayItem(inputs, 3);
  char *shape = cJSON_PrintUnformatted(cJSON_GetObjectItem(cell, "shape"));
  assert_string_equal(shape, "[-1,3,3]");
  free(shape);
  fake_exchange_fini(&fake);
}

static void test_sizes_of_the_json_part(void **state) {
  (void)state;
  static const char *const wrong[] = {"", "-1", "1x", " 1", "7", "99999999999999999999"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct fake_exchange fake = fake_exchange("POST", "/v2/models/silicon/infer");
    fake.public.body = "{}    ";
    fake.public.size = 6;
    fake.public.inference_header_length = wrong[i];
    routes_handle(&daemon_of_tests.services, &fake.public);
    assert_int_equal(fake.n_replies, 1);
    assert_int_equal(fake.reply.status, 400);
    assert_string_equal(fake_text(&fake, "type"), "urn:irrepd:malformed-tensors");
    fake_exchange_fini(&fake);
  }
}

/* Bodies without a type, as Triton's clients send them, are read. */
static void test_media_types(void **state) {
  (void)state;
  static const struct {
    const char *type, *accept;
    int status;
  } rows[] = {{NULL, NULL, 404},
              {"application/json", "*/*", 404},
              {"application/octet-stream", "application/octet-stream", 404},
              {"application/x-safetensors", NULL, 415},
              {NULL, "text/html", 406}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fake_exchange fake = fake_exchange("POST", "/v2/models/nobody/infer");
    fake.public.content_type = rows[i].type;
    fake.public.accept = rows[i].accept;
    routes_handle(&daemon_of_tests.services, &fake.public);
    assert_int_equal(fake.reply.status, rows[i].status);
    fake_exchange_fini(&fake);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths),
      cmocka_unit_test(test_metadata),
      cmocka_unit_test(test_sizes_of_the_json_part),
      cmocka_unit_test(test_media_types),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
