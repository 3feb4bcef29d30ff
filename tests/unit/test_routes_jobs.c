#define _GNU_SOURCE /* mkdtemp */
#include "server/runs/kept_run.h"
#include "tests/unit/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

struct jobs_daemon {
  struct fake_daemon fake;
  struct run_pool pool;
};

static void begin(struct jobs_daemon *d) {
  assert_true(fake_daemon_init(&d->fake, "damaged"));
  fake_daemon_settle(&d->fake);
  struct services *services = &d->fake.services;
  d->fake.config.max_steps = 1000;
  d->fake.config.max_jobs = d->fake.config.max_jobs_client = 5;
  d->fake.config.max_receiving_bytes = 1000000;
  d->pool = (struct run_pool){.loop = &d->fake.loop,
                              .config = &d->fake.config,
                              .predictor = services->predictor,
                              .metrics = services->metrics};
  services->runs = &d->pool;
  const struct kept_options options = {.pool = &d->pool, .registry = services->registry};
  assert_int_equal(kept_runs_new(&options, &services->jobs, NULL), IRREP_OK);
}

static void note(void *context) {
  *(bool *)context = true;
}

static void end(struct jobs_daemon *d) {
  bool drained = false;
  kept_runs_drain(d->fake.services.jobs, note, &drained);
  WAIT_FOR(&d->fake.loop, drained);
  kept_runs_free(d->fake.services.jobs);
  WAIT_FOR(&d->fake.loop, d->pool.n_runs == 0);
  assert_true(fake_daemon_fini(&d->fake));
}

static struct fake_exchange with_body(const char *path, const char *body) {
  struct fake_exchange exchange = fake_exchange("POST", path);
  exchange.public.body = exchange.public.body_memory = strdup(body);
  exchange.public.size = strlen(body);
  exchange.public.client = "x";
  return exchange;
}

/* Of the model that could not be loaded, for which the job waits. */
static void add(struct jobs_daemon *d, char id[STORE_ID_SIZE]) {
  struct fake_exchange exchange =
      with_body("/v1/models/silicon/relax",
                "{\"structures\":[{\"numbers\":[14],\"positions\":[[0,0,0]]}],\"relax\":{}}");
  exchange.public.prefer = "wait=5, respond-async";
  route_relax(&d->fake.services, &exchange.public, "silicon");
  WAIT_FOR(&d->fake.loop, exchange.n_replies > 0);
  assert_int_equal(exchange.reply.status, 202);
  assert_int_equal(exchange.reply.n_fields, 2);
  snprintf(id, STORE_ID_SIZE, "%s", fake_text(&exchange, "id"));
  assert_true(store_id_is_valid(id));
  fake_exchange_fini(&exchange);
}

typedef void (*handler)(struct services *services, struct http_exchange *exchange, const char *id);

static int status_of(struct jobs_daemon *d, handler handle, const char *id, const char *body) {
  struct fake_exchange exchange = with_body("/v1/jobs/x", body);
  handle(&d->fake.services, &exchange.public, id);
  assert_int_equal(exchange.n_replies, 1);
  const int status = exchange.reply.status;
  free(http_take_body(&exchange.public));
  fake_exchange_fini(&exchange);
  return status;
}

static void test_nobody_knows_it(void **state) {
  (void)state;
  struct jobs_daemon d;
  begin(&d);
  static const handler handlers[] = {route_job, route_job_action, route_job_delete,
                                     route_job_frames};
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(status_of(&d, handlers[i], "nobody", "{}"), 404);
  assert_int_equal(status_of(&d, route_jobs, "", ""), 200);
  end(&d);
}

static void test_actions(void **state) {
  (void)state;
  static const struct {
    const char *body;
    int status;
  } cases[] = {{"", 400},
               {"[]", 400},
               {"{}", 422},
               {"{\"action\":3}", 422},
               {"{\"action\":\"stop\"}", 422},
               {"{\"action\":\"pause\",\"x\":1}", 400},
               {"{\"action\":\"pause\",\"action\":\"pause\"}", 400},
               {"{\"action\":\"pause\"} x", 400},
               {"{\"action\":\"pause\"}", 409},
               {"{\"action\":\"resume\"}", 409},
               {"{\"action\":\"checkpoint\"}", 409}};
  struct jobs_daemon d;
  char id[STORE_ID_SIZE];
  begin(&d);
  add(&d, id);
  const struct kept_run *run = kept_runs_find(d.fake.services.jobs, id, NULL);
  WAIT_FOR(&d.fake.loop, kept_run_state(run) == KEPT_PAUSED);
  assert_int_equal(status_of(&d, route_job_action, id, "{\"action\":\"checkpoint\"}"), 200);
  assert_int_equal(status_of(&d, route_job_delete, id, ""), 200);
  assert_int_equal(kept_run_state(run), KEPT_CANCELLED);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(status_of(&d, route_job_action, id, cases[i].body), cases[i].status);
  assert_int_equal(status_of(&d, route_job, id, ""), 200);
  assert_int_equal(status_of(&d, route_job_delete, id, ""), 204);
  assert_int_equal(status_of(&d, route_job, id, ""), 404);
  end(&d);
}

static void test_refused(void **state) {
  (void)state;
  struct jobs_daemon d;
  begin(&d);
  struct fake_exchange exchange = with_body("/v1/models/silicon/relax", "{}");
  exchange.public.prefer = "respond-async";
  route_relax(&d.fake.services, &exchange.public, "silicon");
  WAIT_FOR(&d.fake.loop, exchange.n_replies > 0);
  assert_int_equal(exchange.reply.status, 422);
  fake_exchange_fini(&exchange);
  end(&d);
}

/* Who leaves before the answer is not answered, and finds the job in the list. */
static void test_a_client_that_leaves(void **state) {
  (void)state;
  struct jobs_daemon d;
  begin(&d);
  struct fake_exchange exchange =
      with_body("/v1/models/silicon/relax",
                "{\"structures\":[{\"numbers\":[14],\"positions\":[[0,0,0]]}],\"relax\":{}}");
  exchange.public.prefer = "respond-async";
  route_relax(&d.fake.services, &exchange.public, "silicon");
  exchange.public.gone(exchange.public.gone_context);
  WAIT_FOR(&d.fake.loop, kept_runs_next(d.fake.services.jobs, NULL, NULL) != NULL);
  assert_int_equal(exchange.n_replies, 0);
  end(&d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nobody_knows_it),
      cmocka_unit_test(test_actions),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_a_client_that_leaves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
