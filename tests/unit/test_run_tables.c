#define _GNU_SOURCE /* mkdtemp */
#include "server/runs/run_inside.h"
#include "tests/unit/support_run.h"

/* What has ended before has its end and its steps; the rest begins. */
static void test_past(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  const uint8_t ends[3] = {TRAJECTORY_CONVERGED, TRAJECTORY_RUNS, TRAJECTORY_FAILED};
  const uint64_t told[3] = {7, 5, TRAJECTORY_NEVER}, n_steps[3] = {7, 6, 3};
  const struct run_past past = {.ends = ends, .told = told, .n_steps = n_steps, .n = 3};
  begin(&pool, &owner, body_of(4, 4), &past);
  const struct run *run = owner.run;
  const struct run_progress progress = run_progress(run);
  assert_int_equal(progress.n_structures, 4);
  assert_int_equal(progress.n_ended, 2);
  assert_int_equal(progress.n_failed, 1);
  assert_int_equal(progress.n_converged, 1);
  assert_int_equal(progress.steps, 10);
  assert_int_equal(progress.steps_wanted, 4 * trajectory_spec_steps(run_spec(run)));
  assert_int_equal(run_end_of(run, 0), TRAJECTORY_CONVERGED);
  assert_int_equal(run_end_of(run, 3), TRAJECTORY_RUNS);
  assert_int_equal(run_steps_of(run, 0), 7);
  assert_int_equal(run_steps_of(run, 1), 0); /* it takes them again from what was saved */
  assert_int_equal(run_steps_of(run, 2), 3);
  assert_true(run->told[1] == 5 && run->told[3] == TRAJECTORY_NEVER);
  for (size_t i = 0; i < 4; i++)
    assert_true(isnan(run_energy_of(run, i)) && isnan(run_temperature_of(run, i)));
  assert_int_equal(run_request(run)->n_items, 4);
  owner_fini(&owner);
  assert_int_equal(pool.n_runs, 0);
}

/* Nothing is known of a run that could not be read. */
static void test_unread(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin(&pool, &owner, strdup("{\"structures\":[]}"), NULL);
  const struct run_progress progress = run_progress(owner.run);
  assert_int_equal(progress.n_structures + progress.n_ended + progress.steps_wanted, 0);
  owner_fini(&owner);
}

/* A run is there for as long as somebody has a part of it. */
static void test_free_when_left(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin(&pool, &owner, body_of(1, 1), NULL);
  struct run *run = owner.run;
  run->n_under_way++; /* as if a worker had one */
  owner_fini(&owner);
  assert_int_equal(pool.n_runs, 1);
  run->n_under_way--;
  run->is_reading = true;
  run_free_when_left(run);
  assert_int_equal(pool.n_runs, 1);
  run->is_reading = false;
  run_free_when_left(run);
  assert_int_equal(pool.n_runs, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_past, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_unread, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_free_when_left, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
