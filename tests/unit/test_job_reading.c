#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/job_reading.h"
#include "tests/unit/fake_calls.h"

/* Half of the workers read, and what is read of two such bodies may be more than may be at a time.
 */
static void test_reading_in_turns(void **state) {
  struct fake_served *fake = *state;
  struct fake_call calls[4];
  predictor_free(fake->predictor);
  fake->config.workers = 4;
  fake->predictor = predictor_new_with(&fake_evaluator, &fake->loop, &fake->config, fake->registry,
                                       fake->metrics);
  assert_non_null(fake->predictor);
  fake->config.max_receiving_bytes = (size_t)4 << 20;
  for (size_t i = 0; i < 4; i++) {
    begin_long(fake, &calls[i]);
    assert_int_equal(calls[i].job->state, i == 0 ? JOB_READING : JOB_READ_DUE);
  }
  predict_cancel(calls[3].job);
  predict_cancel(calls[1].job);
  finish(fake, &calls[2]);
  assert_int_equal(fake->predictor->reading_bytes, 0);
  assert_null(fake->predictor->due.first);
  finish(fake, &calls[0]);
  end(&calls[0], 200);
  end(&calls[2], 200);
  assert_true(calls[1].n_replies == 0 && calls[3].n_replies == 0);
  fake->config.max_receiving_bytes = (size_t)150 << 20;
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
