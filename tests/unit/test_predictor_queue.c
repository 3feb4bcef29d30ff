#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/predictor_queue.h"
#include "tests/unit/fake_calls.h"

/* What is submitted between hold and let go begins when the last who holds has let go. */
static void test_holding(void **state) {
  struct fake_served *fake = *state;
  struct predictor *p = fake->predictor;
  struct fake_call a, b;
  predict_hold(p);
  predict_hold(p);
  begin(fake, &a, "a", 1, false);
  predict_let_go(p);
  begin(fake, &b, "b", 1, false);
  assert_int_equal(a.job->state, JOB_QUEUED);
  assert_int_equal(b.job->state, JOB_QUEUED);
  assert_true(p->run_is_due);
  predict_let_go(p);
  assert_false(p->run_is_due);
  finish(fake, &a);
  finish(fake, &b);
  end(&a, 200);
  end(&b, 200);
}

/* Of a client and of all. */
static void test_what_waits(void **state) {
  struct fake_served *fake = *state;
  struct predictor *p = fake->predictor;
  const struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  struct fake_call first, busy[2], a;
  begin(fake, &first, "a", 1, false); /* measures a rate */
  finish(fake, &first);
  end(&first, 200);
  assert_true(predictor_backlog_seconds(p) == 0);
  occupy(fake, busy);
  begin(fake, &a, "a", 6, false);
  assert_int_equal(a.job->client->n_waiting, 6);
  assert_true(predictor_backlog_seconds(p) > 0);
  predictor_update_gauges(p, served);
  assert_true(fake_served_metric(fake, "irrepd_queue_structures{model=\"silicon\"}") == 6);
  release(fake, busy);
  finish(fake, &a);
  end(&a, 200);
  assert_true(predictor_backlog_seconds(p) == 0);
}

/* The ledger knows what batches and graphs take. */
static void test_memory(void **state) {
  struct fake_served *fake = *state;
  struct predictor *p = fake->predictor;
  struct fake_call busy[2];
  assert_int_equal(predictor_planned_bytes(p), 0);
  occupy(fake, busy);
  const size_t planned = predictor_planned_bytes(p);
  assert_true(planned > 0 && planned <= predictor_batches_budget(p));
  ledger_set(p->ledger, LEDGER_BATCHES, 0);
  predictor_count_batches(p);
  assert_int_equal(p->ledger->used[LEDGER_BATCHES], planned);
  release(fake, busy);
  assert_int_equal(p->ledger->used[LEDGER_BATCHES], 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)
      TEST(test_holding),
      TEST(test_what_waits),
      TEST(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
