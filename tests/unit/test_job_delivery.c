#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/job_delivery.h"
#include "tests/unit/fake_calls.h"

/* Written on a worker, be it that somebody still waits for it or not. */
static void test_long_answers(void **state) {
  struct fake_served *fake = *state;
  struct fake_call call;
  begin_listing(fake, &call);
  finish(fake, &call);
  const cJSON *output = cJSON_GetArrayItem(get(call.json, "outputs"), 0);
  assert_int_equal(cJSON_GetArraySize(get(output, "data")), 3 * MANY * ATOMS);
  end(&call, 200);
  begin_listing(fake, &call);
  WAIT_FOR(&fake->loop, call.job->state == JOB_WRITING);
  predict_cancel(call.job);
  WAIT_FOR(&fake->loop, fake->predictor->n_jobs == 0);
  assert_int_equal(call.n_replies, 0);
  begin_listing(fake, &call);
  WAIT_FOR(&fake->loop, call.job->state == JOB_READY);
  predict_cancel(call.job);
  assert_int_equal(fake->predictor->n_jobs, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)
      TEST(test_long_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
