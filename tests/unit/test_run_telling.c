#define _GNU_SOURCE /* mkdtemp */
#include "server/runs/run_inside.h"
#include "tests/unit/support_run.h"

/* The end is told once, by a later turn of the loop, with the run's problem if it has one. */
static void test_end(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin(&pool, &owner, strdup("{\"structures\":[]}"), NULL);
  run_end(owner.run);
  run_end(owner.run);
  assert_int_equal(owner.n_begun + owner.n_ended, 0);
  finish(&pool, &owner);
  assert_int_equal(owner.n_begun, 1);
  assert_int_equal(owner.ended_status, 422);
  run_end(owner.run);
  for (int i = 0; i < 20; i++)
    uv_run(pool.loop, UV_RUN_NOWAIT);
  assert_int_equal(owner.n_ended, 1);
  owner_fini(&owner);
}

/* Nobody hears of a run that is freed. */
static void test_freed(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin(&pool, &owner, body_of(1, 1), NULL);
  run_tell_soon(owner.run);
  owner_fini(&owner);
  for (int i = 0; i < 20; i++)
    uv_run(pool.loop, UV_RUN_NOWAIT);
  assert_int_equal(owner.n_begun + owner.n_events + owner.n_ended, 0);
}

static void test_event(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  struct problem problem;
  struct text line = {0};
  text_puts(&line, "{\"a\":1}");
  begin(&pool, &owner, body_of(1, 1), NULL);
  owner.n_begun = 1;
  problem_set(&problem, 422, "x", "x", "", "x");
  run_tell_event(owner.run, 0, TRAJECTORY_RUNS, 3, &line, NULL);
  run_tell_event(owner.run, 0, TRAJECTORY_FAILED, 3, &line, &problem);
  assert_int_equal(owner.n_events, 2);
  assert_int_equal(owner.told[0].size, 14);
  assert_memory_equal(owner.told[0].bytes, "{\"a\":1}{\"a\":1}", 14);
  text_fini(&line);
  owner_fini(&owner);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_end, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_freed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_event, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
