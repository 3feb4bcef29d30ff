#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/support_run.h"

/* More than are under way at a time; the one that cannot be moved has its fault, the others their
 * results, and the bits are those of a run of its own. */
static void test_many(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner many, alone;
  begin(&pool, &many, body_of(90, 40), NULL);
  finish(&pool, &many);
  assert_int_equal(many.ended_status, 0);
  for (size_t i = 0; i < 90; i++)
    assert_int_equal(many.ends[i], i == 40 ? TRAJECTORY_FAILED : TRAJECTORY_CONVERGED);
  const struct run_progress progress = run_progress(many.run);
  assert_int_equal(progress.n_structures, 90);
  assert_int_equal(progress.n_ended, 90);
  assert_int_equal(progress.n_failed, 1);
  assert_int_equal(progress.n_converged, 89);
  assert_true(progress.steps > 89 && progress.steps < progress.steps_wanted);
  begin(&pool, &alone, body_of(1, 9), NULL);
  finish(&pool, &alone);
  assert_int_equal(alone.told[0].size, many.told[0].size);
  assert_memory_equal(alone.told[0].bytes, many.told[0].bytes, alone.told[0].size);
  owner_fini(&many);
  owner_fini(&alone);
  assert_int_equal(pool.bytes, 0);
  assert_int_equal(pool.n_runs, 0);
  assert_true(fake_served_metric(*state, "irrepd_relax_steps_count") == 90);
}

/* Whatever is under way when it is freed. */
static void test_freed(void **state) {
  struct run_pool pool = pool_of(*state);
  for (int turns = 0; turns < 40; turns += 3) {
    struct owner owner;
    begin(&pool, &owner, body_of(80, 5), NULL);
    for (int i = 0; i < turns; i++)
      uv_run(pool.loop, UV_RUN_NOWAIT);
    owner_fini(&owner);
    WAIT_FOR(pool.loop, pool.n_runs == 0);
    assert_int_equal(pool.bytes, 0);
  }
  WAIT_FOR(pool.loop, predictor_stats(pool.predictor).batches_running == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_freed, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
