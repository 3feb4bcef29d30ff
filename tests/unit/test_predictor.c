#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/predictor.h"
#include "tests/unit/fake_calls.h"

/* What was accepted is computed, though it would not be accepted any more. */
static void test_less_memory(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], a, b;
  occupy(fake, busy);
  begin(fake, &a, "a", 1, false);
  fake->config.memory_budget = 1000;
  predictor_limits_changed(fake->predictor);
  release(fake, busy);
  finish(fake, &a);
  end(&a, 200);
  begin(fake, &b, "b", 1, false);
  finish(fake, &b);
  end(&b, 422);
}

/* Nothing is computed, and the sizes are those that were planned. */
static void test_estimate(void **state) {
  struct fake_served *fake = *state;
  struct fake_call call;
  const int before = atomic_load(&fake->model->evaluations);
  begin(fake, &call, "a", 3, true);
  finish(fake, &call);
  const cJSON *total = get(call.json, "total");
  assert_int_equal(get(total, "n_atoms")->valueint, 6);
  assert_int_equal(get(total, "n_edges")->valueint, 6);
  assert_int_equal(get(total, "bytes")->valueint, 6 * FAKE_ATOM_BYTES + 6);
  assert_true(cJSON_IsNull(get(total, "compute_ms")));
  assert_int_equal(cJSON_GetArraySize(get(call.json, "results")), 3);
  assert_int_equal(atomic_load(&fake->model->evaluations), before);
  end(&call, 200);
  begin(fake, &call, "a", 1, false);
  finish(fake, &call);
  end(&call, 200);
  begin(fake, &call, "a", 1, true); /* now a batch has been measured */
  finish(fake, &call);
  assert_true(get(get(call.json, "total"), "compute_ms")->valuedouble >= 0);
  assert_true(cJSON_IsNumber(get(get(call.json, "total"), "compute_ms")));
  end(&call, 200);
  fake->config.max_atoms = 1;
  begin(fake, &call, "a", 1, true);
  finish(fake, &call);
  end(&call, 422);
}

/* A model that is not in memory is loaded once for all that come, also after a client has gone. */
static void test_waits_for_the_model(void **state) {
  struct fake_served *fake = *state;
  struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  struct fake_call calls[4];
  assert_int_equal(atomic_load(&fake->model->violations), 0);
  registry_unload(served);
  for (size_t i = 0; i < 4; i++)
    begin(fake, &calls[i], "a", 1, i == 3);
  assert_int_equal(served->state, MODEL_LOADING);
  assert_int_equal(predictor_stats(fake->predictor).queued_structures, 0);
  predict_cancel(calls[1].job);
  for (size_t i = 0; i < 4; i++)
    if (i != 1) {
      finish(fake, &calls[i]);
      end(&calls[i], 200);
    }
  assert_int_equal(calls[1].n_replies, 0);
  assert_int_equal(registry_users(served), 0);
  fake->model = served->model;
}

static void test_model_that_cannot_be_loaded(void **state) {
  struct fake_served *fake = *state;
  struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  struct irrep_model *model = fake_model(); /* for what the fixture looks at in the end */
  struct fake_call call;
  registry_unload(served);
  unlink(fake->file);
  begin(fake, &call, "a", 1, false);
  finish(fake, &call);
  assert_string_equal(get(call.json, "type")->valuestring, "urn:irrepd:model-not-ready");
  end(&call, 503);
  begin(fake, &call, "a", 1, false); /* it has failed: not tried again for each request */
  finish(fake, &call);
  end(&call, 503);
  fake->model = model;
  fake_served_fini(fake);
  free(model);
  assert_true(fake_served_init(fake));
}

/* Each answer names the version that it comes from; both are in memory until the first is done. */
static void test_swap_under_load(void **state) {
  struct fake_served *fake = *state;
  struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  struct fake_call before, after;
  char old[65];
  memcpy(old, served->sha256, sizeof old);
  atomic_store(&fake->model->hold, 1);
  begin(fake, &before, "a", 1, false);
  WAIT_FOR(&fake->loop, predictor_stats(fake->predictor).batches_running >= 1);
  FILE *file = fopen(fake->file, "wb");
  assert_non_null(file);
  fputs(FAKE_FILE " of another version", file);
  fclose(file);
  registry_reload(fake->registry);
  WAIT_FOR(&fake->loop, strcmp(served->sha256, old) != 0);
  begin(fake, &after, "a", 1, false);
  finish(fake, &after);
  assert_string_equal(get(after.json, "model_sha256")->valuestring, served->sha256);
  end(&after, 200);
  assert_int_equal(before.n_replies, 0);
  atomic_store(&fake->model->hold, 0);
  finish(fake, &before);
  assert_string_equal(get(before.json, "model_sha256")->valuestring, old);
  end(&before, 200);
  fake->model = served->model;
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)
      TEST(test_less_memory),         TEST(test_estimate),
      TEST(test_waits_for_the_model), TEST(test_model_that_cannot_be_loaded),
      TEST(test_swap_under_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
