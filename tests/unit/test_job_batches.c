#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/job_batches.h"
#include "tests/unit/fake_calls.h"

/* What planning has found is evaluated, and counts as planned until then. */
static void test_graphs_are_kept(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], a, gone;
  const int evaluated = atomic_load(&fake->model->evaluations);
  occupy(fake, busy);
  const size_t before = predictor_stats(fake->predictor).planned_bytes;
  begin_large(fake, &a, 1, 60);
  const size_t bytes = (size_t)FAKE_EDGE_BYTES * 60 * 59;
  assert_int_equal(predictor_stats(fake->predictor).planned_bytes, before + bytes);
  begin_large(fake, &gone, 2, 20);
  assert_true(predictor_stats(fake->predictor).planned_bytes > before + bytes);
  predict_cancel(gone.job);
  assert_int_equal(predictor_stats(fake->predictor).planned_bytes, before + bytes);
  release(fake, busy);
  finish(fake, &a);
  end(&a, 200);
  assert_int_equal(predictor_stats(fake->predictor).planned_bytes, 0);
  assert_int_equal(atomic_load(&fake->model->evaluations), evaluated + 3);
  assert_int_equal(atomic_load(&fake->model->by_graphs), 3);
}

/* A batch that needs the memory takes it from the graph of a structure that waits. */
static void test_graphs_give_way_to_batches(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], large, small;
  const int evaluated = atomic_load(&fake->model->evaluations);
  fake->config.memory_budget = 350000;
  predictor_limits_changed(fake->predictor);
  occupy(fake, busy);
  const size_t before = predictor_stats(fake->predictor).planned_bytes;
  begin_large(fake, &large, 1, 256); /* 321,280 bytes; its graph is not kept */
  assert_int_equal(predictor_stats(fake->predictor).planned_bytes, before);
  begin_large(fake, &small, 1, 38);
  assert_int_equal(predictor_stats(fake->predictor).planned_bytes,
                   before + (size_t)FAKE_EDGE_BYTES * 38 * 37);
  assert_int_equal(predictor_stats(fake->predictor).queued_structures, 2);
  release(fake, busy);
  while (large.n_replies == 0) {
    uv_run(&fake->loop, UV_RUN_ONCE);
    assert_true(predictor_stats(fake->predictor).planned_bytes <= fake->config.memory_budget);
  }
  end(&large, 200);
  finish(fake, &small);
  end(&small, 200);
  assert_int_equal(predictor_stats(fake->predictor).planned_bytes, 0);
  assert_int_equal(atomic_load(&fake->model->evaluations), evaluated + 4);
  assert_int_equal(atomic_load(&fake->model->by_graphs), 2); /* those that kept the workers busy */
}

/* Structures whose deadline passes while they wait are not computed; the request counts once. */
static void test_deadlines_in_the_queue(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], late;
  const int evaluated = atomic_load(&fake->model->evaluations);
  occupy(fake, busy);
  begin_pairs(fake, &late, "a", 2, ",\"deadline_ms\":5", false);
  finish(fake, &late);
  const cJSON *results = get(late.json, "results");
  for (int i = 0; i < 2; i++) {
    const cJSON *problem = get(cJSON_GetArrayItem(results, i), "error");
    assert_string_equal(get(problem, "type")->valuestring, "urn:irrepd:deadline-passed");
  }
  end(&late, 200);
  assert_int_equal(predictor_stats(fake->predictor).queued_structures, 0);
  assert_true(fake_served_metric(fake, "irrepd_requests_cancelled_total{reason=\"deadline\"}") ==
              1);
  release(fake, busy);
  assert_int_equal(atomic_load(&fake->model->evaluations), evaluated + 2);
}

/* What scheduler and workers are told, by the hooks that the scheduler has. */
static void test_hooks(void **state) {
  struct fake_served *fake = *state;
  struct predictor *p = fake->predictor;
  const struct scheduler_hooks hooks = job_batches_hooks(p);
  struct fake_call busy[2];
  assert_ptr_equal(hooks.context, p);
  assert_int_equal(hooks.idle_workers(p), 2);
  assert_true(hooks.free_bytes(p) == SIZE_MAX); /* anything that was accepted may begin alone */
  occupy(fake, busy);
  assert_int_equal(hooks.idle_workers(p), 0);
  assert_int_equal(hooks.free_bytes(p), 0);
  release(fake, busy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)
      TEST(test_graphs_are_kept),
      TEST(test_graphs_give_way_to_batches),
      TEST(test_deadlines_in_the_queue),
      TEST(test_hooks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
