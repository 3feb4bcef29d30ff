#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/job_model.h"
#include "tests/unit/fake_calls.h"

/* A fault of the body is told at once, not when the model has been loaded for nothing. */
static void test_bodies_are_read_before_the_load(void **state) {
  struct fake_served *fake = *state;
  const struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  struct text body = {0};
  struct fake_call call;
  registry_unload(registry_find(fake->registry, FAKE_MODEL));
  text_puts(&body, "{\"structures\":5}");
  begin_call(fake, &call, &body, (struct predict_call){0});
  finish(fake, &call);
  assert_int_equal(served->state, MODEL_UNLOADED);
  end(&call, 422);
  begin(fake, &call, NULL, 1, false);
  assert_int_equal(call.job->state, JOB_LOADING);
  assert_null(call.job->loaded);
  finish(fake, &call);
  fake->model = served->model;
  end(&call, 200);
}

static void test_no_such_model(void **state) {
  struct fake_served *fake = *state;
  struct fake_call call = {0};
  struct text body = {0};
  text_puts(&body, "{\"structures\":[" PAIR "]}");
  struct predict_call request = {
      .model = "gold", .request_id = "r", .done = on_done, .context = &call};
  request.body = text_take(&body, &request.size);
  call.job = predict_call(fake->predictor, &request);
  finish(fake, &call);
  end(&call, 404);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)
      TEST(test_bodies_are_read_before_the_load),
      TEST(test_no_such_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
