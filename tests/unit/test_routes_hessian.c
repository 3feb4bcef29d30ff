#define _GNU_SOURCE /* mkdtemp */
#include "server/runs/run.h"
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define ATOM "{\"numbers\":[14],\"positions\":[[0,0,0]]"

static struct run_pool pool_of(struct fake_daemon *fake) {
  return (struct run_pool){.loop = &fake->loop,
                           .config = &fake->config,
                           .predictor = fake->services.predictor,
                           .metrics = fake->services.metrics};
}

static struct fake_exchange post(const char *body) {
  struct fake_exchange exchange = fake_exchange("POST", "/v1/models/x/hessian");
  exchange.public.body = exchange.public.body_memory = strdup(body);
  exchange.public.size = strlen(body);
  exchange.public.client = "x";
  return exchange;
}

static void test_what_is_refused_at_once(void **state) {
  (void)state;
  static const struct {
    const char *body;
    int status;
    const char *type;
  } cases[] = {
      {"{\"structures\":[" ATOM "}],\"x\":1}", 400, "urn:irrepd:unknown-key"},
      {"{\"structures\":[" ATOM "}],\"precision\":\"float32\"}", 422, "urn:irrepd:wrong-value"},
      {"{\"structures\":[" ATOM "}],\"properties\":[\"energy\"]}", 422, "urn:irrepd:wrong-value"},
      {"{\"structures\":[" ATOM ",\"fixed\":[0]}]}", 400, "urn:irrepd:unknown-key"},
      {"{\"structures\":[" ATOM ",\"velocities\":[[0,0,0]]}]}", 400, "urn:irrepd:unknown-key"},
      {"{\"structures\":[{\"numbers\":[14]}]}", 422, "urn:irrepd:missing-key"},
      {"{", 400, "urn:irrepd:malformed-json"},
  };
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct run_pool pool = pool_of(&fake);
  fake.services.runs = &pool;
  fake.services.blas = "own";
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct fake_exchange exchange = post(cases[i].body);
    route_hessian(&fake.services, &exchange.public, "silicon");
    assert_int_equal(exchange.n_replies, 1);
    assert_int_equal(exchange.reply.status, cases[i].status);
    assert_string_equal(fake_text(&exchange, "type"), cases[i].type);
    fake_exchange_fini(&exchange);
  }
  assert_true(fake_daemon_fini(&fake));
}

static void test_a_model_that_is_not_there(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct run_pool pool = pool_of(&fake);
  fake.services.runs = &pool;
  fake.services.blas = "own";
  struct fake_exchange exchange = post("{\"structures\":[" ATOM "}," ATOM "}]}");
  route_hessian(&fake.services, &exchange.public, "silicon");
  assert_int_equal(exchange.n_replies, 0);
  WAIT_FOR(&fake.loop, exchange.n_replies != 0);
  assert_int_equal(exchange.reply.status, 503);
  assert_string_equal(fake_text(&exchange, "type"), "urn:irrepd:model-not-ready");
  fake_exchange_fini(&exchange);
  exchange = post("{}");
  route_hessian(&fake.services, &exchange.public, "nobody");
  assert_int_equal(exchange.reply.status, 404);
  free(http_take_body(&exchange.public));
  fake_exchange_fini(&exchange);
  assert_true(fake_daemon_fini(&fake));
}

static void test_a_client_that_has_gone_is_not_answered(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct run_pool pool = pool_of(&fake);
  fake.services.runs = &pool;
  struct fake_exchange exchange = post("{\"structures\":[" ATOM "}]}");
  route_hessian(&fake.services, &exchange.public, "silicon");
  exchange.public.gone(exchange.public.gone_context);
  uv_run(&fake.loop, UV_RUN_NOWAIT);
  assert_int_equal(exchange.n_replies, 0);
  assert_true(fake_daemon_fini(&fake));
}

static void test_draining(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake.services.draining = true;
  struct fake_exchange exchange = post("{}");
  route_hessian(&fake.services, &exchange.public, "silicon");
  assert_int_equal(exchange.reply.status, 503);
  assert_string_equal(fake_text(&exchange, "type"), "urn:irrepd:draining");
  free(http_take_body(&exchange.public));
  fake_exchange_fini(&exchange);
  fake_daemon_settle(&fake);
  assert_true(fake_daemon_fini(&fake));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_is_refused_at_once),
      cmocka_unit_test(test_a_model_that_is_not_there),
      cmocka_unit_test(test_a_client_that_has_gone_is_not_answered),
      cmocka_unit_test(test_draining),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
