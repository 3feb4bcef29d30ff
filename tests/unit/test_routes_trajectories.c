#define _GNU_SOURCE /* mkdtemp */
#include "server/runs/run.h"
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct run_pool pool_of(struct fake_daemon *fake) {
  fake->config.max_steps = 1000;
  fake->config.max_receiving_bytes = 100000;
  return (struct run_pool){.loop = &fake->loop,
                           .config = &fake->config,
                           .predictor = fake->services.predictor,
                           .metrics = fake->services.metrics};
}

static struct fake_exchange post(const char *options) {
  char body[512];
  struct fake_exchange exchange = fake_exchange("POST", "/v1/models/x/relax");
  snprintf(body, sizeof body,
           "{\"structures\":[{\"numbers\":[14],\"positions\":[[0,0,0]]}],\"relax\":%s}", options);
  exchange.public.body = exchange.public.body_memory = strdup(body);
  exchange.public.size = strlen(body);
  exchange.public.client = "x";
  return exchange;
}

static void test_unknown_model(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, NULL));
  struct fake_exchange exchange = post("{}");
  route_relax(&fake.services, &exchange.public, "nobody");
  assert_int_equal(exchange.reply.status, 404);
  free(http_take_body(&exchange.public));
  fake_exchange_fini(&exchange);
  assert_true(fake_daemon_fini(&fake));
}

/* What is wrong with the only structure, or with the whole, is the answer. */
static void test_problems(void **state) {
  (void)state;
  static const struct {
    const char *options;
    int status;
    const char *type;
  } cases[] = {{"{}", 503, "urn:irrepd:model-not-ready"},
               {"{\"x\":1}", 400, "urn:irrepd:unknown-key"},
               {"{\"trajectory\":1,\"max_steps\":1000}", 422, "urn:irrepd:too-many-frames"}};
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct run_pool pool = pool_of(&fake);
  fake.services.runs = &pool;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct fake_exchange exchange = post(cases[i].options);
    route_relax(&fake.services, &exchange.public, "silicon");
    assert_int_equal(exchange.n_replies, 0);
    assert_null(exchange.public.body_memory);
    WAIT_FOR(&fake.loop, exchange.n_replies != 0);
    assert_int_equal(exchange.reply.status, cases[i].status);
    assert_string_equal(fake_text(&exchange, "type"), cases[i].type);
    fake_exchange_fini(&exchange);
  }
  assert_int_equal(pool.n_runs, 0);
  assert_true(fake_daemon_fini(&fake));
}

static void test_a_client_that_has_gone_is_not_answered(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake_daemon_settle(&fake);
  struct run_pool pool = pool_of(&fake);
  fake.services.runs = &pool;
  struct fake_exchange exchange = post("{}");
  route_relax(&fake.services, &exchange.public, "silicon");
  exchange.public.gone(exchange.public.gone_context);
  uv_run(&fake.loop, UV_RUN_NOWAIT);
  assert_int_equal(exchange.n_replies, 0);
  assert_int_equal(pool.n_runs, 0);
  assert_true(fake_daemon_fini(&fake));
}

static void test_draining(void **state) {
  (void)state;
  struct fake_daemon fake;
  assert_true(fake_daemon_init(&fake, "damaged"));
  fake.services.draining = true;
  struct fake_exchange exchange = post("{}");
  route_md(&fake.services, &exchange.public, "silicon");
  assert_int_equal(exchange.reply.status, 503);
  assert_string_equal(fake_text(&exchange, "type"), "urn:irrepd:draining");
  free(http_take_body(&exchange.public));
  fake_exchange_fini(&exchange);
  fake_daemon_settle(&fake);
  assert_true(fake_daemon_fini(&fake));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unknown_model),
      cmocka_unit_test(test_problems),
      cmocka_unit_test(test_a_client_that_has_gone_is_not_answered),
      cmocka_unit_test(test_draining),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
