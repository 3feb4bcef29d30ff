#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/job_deadline.h"
#include "tests/unit/fake_calls.h"

/* Begins a call of a pair for the model, which is not in memory, with a deadline or none; its body
 * is small, or so large that a worker reads it. */
static void begin_late(struct fake_served *fake, struct fake_call *call, double deadline_ms,
                       bool large) {
  struct text body = {0};
  char tail[64];
  text_puts(&body, "{\"structures\":[" PAIR "]");
  for (int i = 0; large && i < 300000; i++)
    text_puts(&body, " ");
  snprintf(tail, sizeof tail, ",\"deadline_ms\":%g", deadline_ms);
  text_puts(&body, deadline_ms > 0 ? tail : "");
  text_puts(&body, "}");
  begin_call(fake, call, &body, (struct predict_call){0});
}

static void unload(struct fake_served *fake) {
  registry_unload(registry_find(fake->registry, FAKE_MODEL));
  fake->model = NULL;
}

/* Runs until the model is in memory. */
static void load(struct fake_served *fake) {
  const struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  WAIT_FOR(&fake->loop, served->model);
  fake->model = served->model;
}

/* The answer comes when the deadline passes, however long the load takes; who has more time, or all
 * the time there is, gets numbers. */
static void test_deadlines_while_loading(void **state) {
  struct fake_served *fake = *state;
  struct predictor *p = fake->predictor;
  struct fake_call soon, late, never;
  unload(fake);
  begin_late(fake, &soon, 1e6, false);
  begin_late(fake, &late, 2e6, false);
  begin_late(fake, &never, 0, false);
  assert_int_equal(soon.job->state, JOB_LOADING);
  assert_int_equal(never.job->state, JOB_LOADING);
  assert_true(predict_job_deadline_ns(never.job) == SCHEDULER_NEVER);
  const uint64_t soon_ns = predict_job_deadline_ns(soon.job),
                 late_ns = predict_job_deadline_ns(late.job);
  assert_true(job_deadline_run(p, soon_ns - 1) == soon_ns);
  assert_int_equal(soon.job->state, JOB_LOADING);
  assert_true(job_deadline_run(p, soon_ns) == late_ns);
  assert_int_equal(soon.job->state, JOB_READY);
  load(fake);
  finish(fake, &soon);
  finish(fake, &late);
  finish(fake, &never);
  assert_string_equal(get(soon.json, "type")->valuestring, "urn:irrepd:deadline-passed");
  assert_true(fake_served_metric(fake, "irrepd_requests_cancelled_total{reason=\"deadline\"}") ==
              1);
  end(&soon, 504);
  end(&late, 200);
  end(&never, 200);
  assert_true(job_deadline_run(p, late_ns) == SCHEDULER_NEVER);
}

/* The timer is set for it: also when nothing else happens, and when a worker has read the body. */
static void test_the_timer(void **state) {
  struct fake_served *fake = *state;
  for (int large = 0; large < 2; large++) {
    struct fake_call call;
    unload(fake);
    begin_late(fake, &call, 1e6, large == 1);
    for (int i = 0; i < 10000000 && call.job->state != JOB_LOADING; i++)
      uv_run(&fake->loop, UV_RUN_NOWAIT);
    assert_int_equal(call.job->state, JOB_LOADING);
    assert_true(uv_is_active((uv_handle_t *)fake->predictor->deadline_timer));
    assert_true(fake->predictor->early_deadline_ns <= predict_job_deadline_ns(call.job));
    load(fake);
    finish(fake, &call);
    end(&call, 200);
  }
}

/* Whoever waits to be planned is answered at its deadline. */
static void test_deadlines_while_planning_is_due(void **state) {
  struct fake_served *fake = *state;
  struct predictor *p = fake->predictor;
  struct fake_call busy[2], first, soon, late;
  allow_many(fake);
  occupy(fake, busy);
  begin(fake, &first, NULL, PLANNED_LATER, false);
  begin_pairs(fake, &soon, NULL, PLANNED_LATER, ",\"deadline_ms\":1e6", false);
  begin_pairs(fake, &late, NULL, PLANNED_LATER, ",\"deadline_ms\":2e6", false);
  assert_int_equal(soon.job->state, JOB_PLAN_DUE);
  assert_true(uv_is_active((uv_handle_t *)p->deadline_timer));
  const uint64_t soon_ns = predict_job_deadline_ns(soon.job),
                 late_ns = predict_job_deadline_ns(late.job);
  assert_true(job_deadline_run(p, soon_ns) == late_ns);
  assert_int_equal(soon.job->state, JOB_READY);
  assert_int_equal(late.job->state, JOB_PLAN_DUE);
  finish(fake, &soon);
  assert_string_equal(get(soon.json, "type")->valuestring, "urn:irrepd:deadline-passed");
  end(&soon, 504);
  release(fake, busy);
  finish(fake, &first);
  finish(fake, &late);
  end(&first, 200);
  end(&late, 200);
}

/* And whoever is being planned, at the end of a turn. */
static void test_a_deadline_during_planning(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], call;
  allow_many(fake);
  occupy(fake, busy);
  begin_pairs(fake, &call, NULL, TWO_TURNS, ",\"deadline_ms\":200", false);
  assert_int_equal(call.job->state, JOB_PLANNING);
  while (uv_hrtime() <= predict_job_deadline_ns(call.job))
    ;
  release(fake, busy);
  finish(fake, &call);
  assert_string_equal(get(call.json, "type")->valuestring, "urn:irrepd:deadline-passed");
  assert_true(fake_served_metric(fake, "irrepd_requests_cancelled_total{reason=\"deadline\"}") ==
              1);
  assert_int_equal(predictor_stats(fake->predictor).n_turns, 1);
  end(&call, 504);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_deadlines_while_loading, set_up_served,
                                      tear_down_served),
      cmocka_unit_test_setup_teardown(test_the_timer, set_up_served, tear_down_served),
      cmocka_unit_test_setup_teardown(test_deadlines_while_planning_is_due, set_up_served,
                                      tear_down_served),
      cmocka_unit_test_setup_teardown(test_a_deadline_during_planning, set_up_served,
                                      tear_down_served),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
