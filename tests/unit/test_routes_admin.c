#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/fake_evaluator.h"
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define PATH "/v1/models/silicon"

/* Routes over one model of the fake evaluator, in memory. */
static void begin(struct fake_daemon *fake) {
  assert_true(fake_daemon_init(fake, FAKE_FILE));
  registry_free(fake->services.registry);
  assert_int_equal(registry_new_with(&fake_evaluator, &fake->loop, fake->folder, fake_changed, NULL,
                                     &fake->services.registry, NULL),
                   IRREP_OK);
  fake_daemon_settle(fake);
}

static struct fake_exchange post(const char *path, const char *body, bool local) {
  struct fake_exchange exchange = fake_exchange("POST", path);
  exchange.public.content_type = "application/json";
  exchange.public.body = body;
  exchange.public.size = strlen(body);
  exchange.public.local = local;
  return exchange;
}

static void ask(struct fake_daemon *fake, const char *path, const char *body, bool local,
                int status, const char *key, const char *value) {
  struct fake_exchange exchange = post(path, body, local);
  routes_handle(&fake->services, &exchange.public);
  WAIT_FOR(&fake->loop, exchange.n_replies != 0);
  assert_int_equal(exchange.n_replies, 1);
  assert_int_equal(exchange.reply.status, status);
  assert_string_equal(fake_text(&exchange, key), value);
  fake_exchange_fini(&exchange);
}

static void test_unload_and_load(void **state) {
  (void)state;
  struct fake_daemon fake;
  begin(&fake);
  ask(&fake, PATH "/load", "", true, 200, "state", "ready"); /* it is: nothing to do */
  ask(&fake, PATH "/unload", " {\n} ", true, 200, "state", "unloaded");
  ask(&fake, PATH "/unload", "", true, 200, "state", "unloaded");
  ask(&fake, PATH "/load", "{}", true, 200, "state", "ready");
  assert_int_equal(registry_users(registry_find(fake.services.registry, "silicon")), 0);
  assert_true(fake_daemon_fini(&fake));
}

static void test_refusals(void **state) {
  (void)state;
  struct fake_daemon fake;
  begin(&fake);
  ask(&fake, PATH "/load", "", false, 403, "type", "urn:irrepd:forbidden");
  ask(&fake, PATH "/unload", "", false, 403, "type", "urn:irrepd:forbidden");
  ask(&fake, "/v1/models/nobody/load", "", true, 404, "type", "urn:irrepd:unknown-model");
  ask(&fake, "/v1/models/nobody/unload", "", true, 404, "type", "urn:irrepd:unknown-model");
  static const char *const bodies[] = {"{\"now\":1}", "{", "[]", "}{", "{}{}"};
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    ask(&fake, PATH "/load", bodies[i], true, 400, "type", "urn:irrepd:unknown-key");
    ask(&fake, PATH "/unload", bodies[i], true, 400, "type", "urn:irrepd:unknown-key");
  }
  assert_int_equal(registry_find(fake.services.registry, "silicon")->state, MODEL_READY);
  ask(&fake, PATH "/unload", "", true, 200, "state", "unloaded");
  fake.services.draining = true;
  ask(&fake, PATH "/load", "", true, 503, "type", "urn:irrepd:draining");
  assert_true(fake_daemon_fini(&fake));
}

static void test_damaged_file(void **state) {
  (void)state;
  struct fake_daemon fake;
  begin(&fake);
  ask(&fake, PATH "/unload", "", true, 200, "state", "unloaded");
  FILE *file = fopen(fake.file, "wb");
  assert_non_null(file);
  fclose(file);
  ask(&fake, PATH "/load", "", true, 500, "type", "urn:irrepd:bad-model-file");
  assert_true(fake_daemon_fini(&fake));
}

/* A client that leaves while its model is loaded is not answered; the load goes on. */
static void test_gone(void **state) {
  (void)state;
  struct fake_daemon fake;
  begin(&fake);
  ask(&fake, PATH "/unload", "", true, 200, "state", "unloaded");
  struct fake_exchange exchange = post(PATH "/load", "", true);
  routes_handle(&fake.services, &exchange.public);
  assert_int_equal(exchange.n_replies, 0);
  exchange.public.gone(exchange.public.gone_context);
  const struct served_model *served = registry_find(fake.services.registry, "silicon");
  WAIT_FOR(&fake.loop, served->state != MODEL_LOADING);
  assert_int_equal(exchange.n_replies, 0);
  assert_int_equal(served->state, MODEL_READY);
  assert_true(fake_daemon_fini(&fake));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unload_and_load),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_damaged_file),
      cmocka_unit_test(test_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
