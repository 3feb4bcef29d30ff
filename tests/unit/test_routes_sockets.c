#define _GNU_SOURCE /* mkdtemp */
#include "server/drivers/sockets.h"
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define REQUIRED "\"protocol\":\"ipi\",\"address\":\"unix:x\",\"model\":\"silicon\""

static int set_up(void **state) {
  struct fake_daemon *fake = malloc(sizeof *fake);
  *state = fake;
  if (!fake || !fake_daemon_init(fake, "no model"))
    return -1;
  fake_daemon_settle(fake);
  static char allowed[] = "cluster";
  fake->config.socket_allow = allowed;
  const struct sockets_options options = {.loop = &fake->loop,
                                          .config = &fake->config,
                                          .registry = fake->services.registry,
                                          .predictor = fake->services.predictor,
                                          .metrics = fake->services.metrics};
  fake->services.sockets = sockets_new(&options);
  return fake->services.sockets != NULL ? 0 : -1;
}

static int tear_down(void **state) {
  struct fake_daemon *fake = *state;
  sockets_free(fake->services.sockets);
  const bool clean = fake_daemon_fini(fake);
  free(fake);
  return clean ? 0 : -1;
}

static struct fake_exchange ask(struct fake_daemon *fake, const char *method, const char *body) {
  struct fake_exchange exchange = fake_exchange(method, "/v1/sockets");
  exchange.public.body = body;
  exchange.public.size = strlen(body);
  exchange.public.local = true;
  exchange.public.content_type = "application/json";
  routes_handle(&fake->services, &exchange.public);
  assert_int_equal(exchange.n_replies, 1);
  return exchange;
}

static void expect_refusal(struct fake_daemon *fake, const char *body, int status, const char *kind,
                           const char *pointer) {
  struct fake_exchange exchange = ask(fake, "POST", body);
  char type[64];
  snprintf(type, sizeof type, "urn:irrepd:%s", kind);
  if (exchange.reply.status != status || strcmp(fake_text(&exchange, "type"), type) != 0)
    fail_msg("%s: %d %s", body, exchange.reply.status, fake_text(&exchange, "type"));
  const cJSON *errors = cJSON_GetObjectItemCaseSensitive(exchange.json, "errors");
  const cJSON *found = cJSON_GetObjectItemCaseSensitive(errors->child, "pointer");
  if (strcmp(found != NULL ? found->valuestring : "", pointer) != 0)
    fail_msg("%s: not at %s", body, pointer);
  fake_exchange_fini(&exchange);
  assert_int_equal(sockets_count(fake->services.sockets), 0);
}

static void test_open_and_list(void **state) {
  struct fake_daemon *fake = *state;
  struct fake_exchange exchange =
      ask(fake, "POST",
          "{" REQUIRED ",\"precision\":\"float64\",\"numbers\":[14,14],\"pbc\":[true,false,true],"
          "\"connections\":2,\"reconnect\":true}");
  assert_int_equal(exchange.reply.status, 201);
  assert_string_equal(fake_text(&exchange, "address"), "unix:x");
  assert_string_equal(fake_text(&exchange, "protocol"), "ipi");
  assert_string_equal(fake_text(&exchange, "precision"), "float64");
  assert_string_equal(fake_text(&exchange, "state"), "waiting");
  fake_exchange_fini(&exchange);

  exchange = ask(fake, "GET", "");
  assert_int_equal(exchange.reply.status, 200);
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(exchange.json, "sockets");
  assert_int_equal(cJSON_GetArraySize(list), 1);
  const cJSON *atoms = cJSON_GetObjectItemCaseSensitive(list->child, "atoms");
  assert_int_equal(atoms->valueint, 2);
  assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(list->child, "connections")),
                   2);
  fake_exchange_fini(&exchange);

  const struct socket_spec *spec = &sockets_at(fake->services.sockets, 0)->spec;
  assert_true(spec->reconnects && spec->species.has_pbc && spec->species.pbc[2]);
  assert_false(spec->species.pbc[1]);
}

static void test_defaults(void **state) {
  struct fake_daemon *fake = *state;
  struct fake_exchange exchange = ask(
      fake, "POST", "{\"address\":\"cluster:31415\",\"model\":\"silicon\",\"protocol\":\"mdi\"}");
  assert_int_equal(exchange.reply.status, 201);
  fake_exchange_fini(&exchange);
  const struct socket_spec *spec = &sockets_at(fake->services.sockets, 0)->spec;
  assert_false(spec->reconnects || spec->species.has_pbc || spec->has_precision);
  assert_int_equal(spec->connections, 1);
}

static void test_refusals(void **state) {
  struct fake_daemon *fake = *state;
  const struct {
    const char *body;
    int status;
    const char *kind, *pointer;
  } cases[] = {
      {"", 400, "malformed-json", ""},
      {"{" REQUIRED, 400, "malformed-json", ""},
      {"{" REQUIRED ",\"numbers\":[NaN]}", 400, "malformed-json", ""},
      {"[]", 422, "wrong-type", "#"},
      {"{" REQUIRED ",\"colour\":1}", 400, "unknown-key", "#/colour"},
      {"{" REQUIRED ",\"a/b\":1}", 400, "unknown-key", "#"},
      {"{" REQUIRED ",\"model\":\"silicon\"}", 400, "duplicate-key", "#/model"},
      {"{\"protocol\":\"ipi\",\"model\":\"silicon\"}", 422, "missing-key", "#/address"},
      {"{\"protocol\":\"tcp\",\"address\":\"unix:x\",\"model\":\"silicon\"}", 422, "wrong-value",
       "#/protocol"},
      {"{\"protocol\":\"ipi\",\"address\":7,\"model\":\"silicon\"}", 422, "wrong-type",
       "#/address"},
      {"{\"protocol\":\"ipi\",\"address\":\"x\",\"model\":\"silicon\"}", 422, "wrong-value",
       "#/address"},
      {"{\"protocol\":\"ipi\",\"address\":\"unix:/run/x\",\"model\":\"silicon\"}", 403,
       "address-not-allowed", "#/address"},
      {"{\"protocol\":\"ipi\",\"address\":\"10.0.0.1:80\",\"model\":\"silicon\"}", 403,
       "address-not-allowed", "#/address"},
      {"{\"protocol\":\"mdi\",\"address\":\"unix:x\",\"model\":\"silicon\"}", 422, "wrong-value",
       "#/address"},
      {"{\"protocol\":\"ipi\",\"address\":\"unix:x\",\"model\":\"gold\"}", 404, "unknown-model",
       "#/model"},
      {"{\"protocol\":\"ipi\",\"address\":\"unix:x\",\"model\":null}", 422, "wrong-type",
       "#/model"},
      {"{" REQUIRED ",\"precision\":64}", 422, "wrong-value", "#/precision"},
      {"{" REQUIRED ",\"numbers\":14}", 422, "wrong-type", "#/numbers"},
      {"{" REQUIRED ",\"numbers\":[]}", 422, "no-atoms", "#/numbers"},
      {"{" REQUIRED ",\"numbers\":[14,0]}", 422, "wrong-value", "#/numbers/1"},
      {"{" REQUIRED ",\"numbers\":[14,1.5]}", 422, "wrong-value", "#/numbers/1"},
      {"{" REQUIRED ",\"numbers\":[9007199254740993]}", 422, "wrong-value", "#/numbers/0"},
      {"{" REQUIRED ",\"numbers\":[\"Si\"]}", 422, "wrong-value", "#/numbers/0"},
      {"{" REQUIRED ",\"pbc\":true}", 422, "wrong-type", "#/pbc"},
      {"{" REQUIRED ",\"pbc\":[true,true]}", 422, "wrong-type", "#/pbc"},
      {"{" REQUIRED ",\"pbc\":[true,true,1]}", 422, "wrong-type", "#/pbc"},
      {"{" REQUIRED ",\"pbc\":[true,true,true,true]}", 422, "wrong-type", "#/pbc"},
      {"{" REQUIRED ",\"connections\":0}", 422, "wrong-value", "#/connections"},
      {"{" REQUIRED ",\"connections\":257}", 422, "wrong-value", "#/connections"},
      {"{" REQUIRED ",\"reconnect\":1}", 422, "wrong-type", "#/reconnect"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (cases[i].pointer[0] != '\0')
      expect_refusal(fake, cases[i].body, cases[i].status, cases[i].kind, cases[i].pointer);
    else {
      struct fake_exchange exchange = ask(fake, "POST", cases[i].body);
      assert_int_equal(exchange.reply.status, cases[i].status);
      fake_exchange_fini(&exchange);
    }
}

/* More atoms than --max-atoms, 1000 here. */
static void test_many_atoms(void **state) {
  char body[4096] = "{" REQUIRED ",\"numbers\":[14";
  size_t size = strlen(body);
  for (int i = 0; i < 1000; i++, size += 2)
    memcpy(body + size, ",1", 3);
  memcpy(body + size, "]}", 3);
  expect_refusal(*state, body, 422, "too-large", "#/numbers");
}

static void test_draining(void **state) {
  struct fake_daemon *fake = *state;
  fake->services.draining = true;
  sockets_drain(fake->services.sockets, NULL, NULL);
  struct fake_exchange exchange = ask(fake, "POST", "{" REQUIRED "}");
  assert_int_equal(exchange.reply.status, 503);
  assert_string_equal(fake_text(&exchange, "type"), "urn:irrepd:draining");
  fake_exchange_fini(&exchange);
}

/* Whoever may have the daemon connect somewhere administers it. */
static void test_remote(void **state) {
  struct fake_daemon *fake = *state;
  static const char *const methods[] = {"GET", "POST"};
  for (size_t i = 0; i < 2; i++) {
    struct fake_exchange exchange = fake_exchange(methods[i], "/v1/sockets");
    exchange.public.content_type = "application/json";
    routes_handle(&fake->services, &exchange.public);
    assert_int_equal(exchange.reply.status, 403);
    fake_exchange_fini(&exchange);
  }
}

static void test_methods(void **state) {
  struct fake_exchange exchange = ask(*state, "DELETE", "");
  assert_int_equal(exchange.reply.status, 405);
  assert_string_equal(exchange.reply.allow, "GET, HEAD, POST");
  fake_exchange_fini(&exchange);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_open_and_list), TEST(test_defaults), TEST(test_refusals), TEST(test_many_atoms),
      TEST(test_draining),      TEST(test_methods),  TEST(test_remote),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
