#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/job_reading.h"
#include "tests/unit/fake_calls.h"

/* Requests may hold so many times what a long body may need. */
static void allow(struct fake_served *fake, size_t times, size_t by) {
  const char body[] = "{\"structures\":[" PAIR "]}";
  const struct predict_job job = {.body = (char *)(uintptr_t)body,
                                  .body_size = sizeof body - 1,
                                  .limits = {fake->config.max_structures, fake->config.max_atoms}};
  fake->config.max_receiving_bytes = predict_job_need(&job) * times / by / 4;
  predictor_limits_changed(fake->predictor);
}

/* Half of the workers read, as many bodies at a time as there is room for what they may need. */
static void test_reading_in_turns(void **state) {
  struct fake_served *fake = *state;
  struct fake_call calls[4];
  predictor_free(fake->predictor);
  fake->config.workers = 4;
  fake->predictor = predictor_new_with(&fake_evaluator, &fake->loop, &fake->config, fake->registry,
                                       fake->metrics);
  assert_non_null(fake->predictor);
  allow(fake, 3, 2);
  for (size_t i = 0; i < 4; i++) {
    begin_long(fake, &calls[i]);
    assert_int_equal(calls[i].job->state, i == 0 ? JOB_READING : JOB_READ_DUE);
  }
  predict_cancel(calls[3].job);
  predict_cancel(calls[1].job);
  finish(fake, &calls[2]);
  assert_null(fake->predictor->due.first);
  finish(fake, &calls[0]);
  end(&calls[0], 200);
  end(&calls[2], 200);
  assert_true(calls[1].n_replies == 0 && calls[3].n_replies == 0);
  assert_int_equal(ledger_total(predictor_ledger(fake->predictor)), 0);
  allow(fake, 8, 2);
  for (size_t i = 0; i < 3; i++) {
    begin_long(fake, &calls[i]);
    assert_int_equal(calls[i].job->state, i < 2 ? JOB_READING : JOB_READ_DUE);
  }
  for (size_t i = 0; i < 3; i++) {
    finish(fake, &calls[i]);
    end(&calls[i], 200);
  }
}

/* Few atoms of many edges are planned on a worker. */
static void test_many_edges(void **state) {
  struct fake_served *fake = *state;
  struct fake_call call;
  fake->config.memory_budget = (size_t)1 << 30;
  predictor_limits_changed(fake->predictor);
  begin_large(fake, &call, 1, 300);
  assert_int_equal(call.job->state, JOB_PLANNING);
  finish(fake, &call);
  end(&call, 200);
  /* Of 36 million edges, in turns of one structure. */
  const uint64_t before = predictor_stats(fake->predictor).n_turns;
  fake->config.memory_budget = (size_t)20 << 20;
  fake->config.max_batch_bytes = (size_t)20 << 20;
  predictor_limits_changed(fake->predictor);
  begin_large(fake, &call, 4, 3000);
  finish(fake, &call);
  assert_int_equal(cJSON_GetArraySize(get(call.json, "results")), 4);
  assert_int_equal(predictor_stats(fake->predictor).n_turns, before + 4);
  end(&call, 200);
  begin(fake, &call, "a", 4, false);
  assert_int_equal(call.job->state, JOB_RUNNING);
  finish(fake, &call);
  end(&call, 200);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)
      TEST(test_reading_in_turns),
      TEST(test_many_edges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
