#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/support_run.h"

static void test_bad_body(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin(&pool, &owner, strdup("{\"structures\":[]}"), NULL);
  WAIT_FOR(pool.loop, owner.n_begun > 0);
  assert_int_equal(owner.begun_status, 422);
  for (int i = 0; i < 20; i++)
    uv_run(pool.loop, UV_RUN_NOWAIT);
  assert_int_equal(owner.n_events + owner.n_ended, 0);
  owner_fini(&owner);
}

/* Held, a run stands still and can be saved; what goes on from there has the same bits and tells
 * what was not told. */
static void test_held_saved_and_gone_on(void **state) {
  enum { N = 70 };
  struct run_pool pool = pool_of(*state);
  struct owner whole, part, rest;
  uint8_t ends[N];
  uint64_t told[N], n_steps[N] = {0};
  uint64_t saved_at[N + 1];
  struct text saved = {0};
  begin(&pool, &whole, body_of(N, N), NULL);
  finish(&pool, &whole);
  begin(&pool, &part, body_of(N, N), NULL);
  part.holds_at = 400;
  WAIT_FOR(pool.loop, part.n_quiet > 0);
  const size_t n_events = part.n_events;
  for (int i = 0; i < 50; i++)
    uv_run(pool.loop, UV_RUN_NOWAIT);
  assert_int_equal(part.n_events, n_events);
  assert_int_equal(part.n_quiet, 1);
  for (size_t i = 0; i < N; i++) {
    size_t frames = 0;
    for (size_t k = 0; k + 8 < part.told[i].size; k++)
      frames += memcmp(part.told[i].bytes + k, "\"frame\"", 7) == 0;
    ends[i] = (uint8_t)run_end_of(part.run, i);
    assert_int_equal(ends[i], part.ends[i]);
    told[i] = frames > 0 ? frames - 1 : TRAJECTORY_NEVER;
    saved_at[i] = saved.size;
    run_save(part.run, i, &saved);
  }
  saved_at[N] = saved.size;
  assert_true(saved.size > 0 && !saved.failed);
  const struct run_past past = {.ends = ends,
                                .told = told,
                                .n_steps = n_steps,
                                .saved_at = saved_at,
                                .saved = (const unsigned char *)saved.bytes,
                                .n = N};
  begin(&pool, &rest, body_of(N, N), &past);
  finish(&pool, &rest);
  run_go(part.run); /* the one that was held goes on too */
  finish(&pool, &part);
  for (size_t i = 0; i < N; i++) {
    assert_int_equal(part.told[i].size, whole.told[i].size);
    assert_memory_equal(part.told[i].bytes, whole.told[i].bytes, whole.told[i].size);
    if (rest.told[i].size > 0)
      assert_memory_equal(whole.told[i].bytes + whole.told[i].size - rest.told[i].size,
                          rest.told[i].bytes, rest.told[i].size);
    assert_int_equal(rest.told[i].size == 0, ends[i] != TRAJECTORY_RUNS);
  }
  text_fini(&saved);
  owner_fini(&whole);
  owner_fini(&part);
  owner_fini(&rest);
}

#define LONG(deadline_ms)                                                                          \
  "{\"structures\":[{\"numbers\":[14],\"positions\":[[0,0,0]]},{\"numbers\":[14,1],\"positions\":" \
  "[[0.5,0.25,0],[0,0.5,-0.5]]}],\"relax\":{\"max_steps\":10000,\"fmax\":1e-300,\"max_step\":1e-"  \
  "9},"                                                                                            \
  "\"deadline_ms\":" deadline_ms "}"

/* What has not ended at the deadline has failed, with the steps that are complete; what is on its
 * way there goes on meanwhile, and what has ended stays so. */
static void test_deadline(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin(&pool, &owner, strdup(LONG("100")), NULL);
  finish(&pool, &owner);
  assert_int_equal(owner.ended_status, 0); /* it is the structures' */
  assert_int_equal(owner.ends[0], TRAJECTORY_CONVERGED);
  assert_int_equal(owner.ends[1], TRAJECTORY_FAILED);
  assert_int_equal(owner.failed_status, 504);
  assert_true(run_steps_of(owner.run, 1) > 0);
  text_add(&owner.told[1], "", 1);
  assert_non_null(strstr(owner.told[1].bytes, "the deadline of 100 ms passed when "));
  assert_non_null(strstr(owner.told[1].bytes, "#/deadline_ms"));
  owner_fini(&owner);
}

/* It counts from when the call came, before a restart. */
static void test_deadline_of_old_calls(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin_aged(&pool, &owner, strdup(LONG("1e9")), NULL, 2e9);
  finish(&pool, &owner);
  assert_int_equal(owner.ends[0], TRAJECTORY_FAILED);
  assert_int_equal(owner.ends[1], TRAJECTORY_FAILED);
  assert_int_equal(run_steps_of(owner.run, 1), 0);
  owner_fini(&owner);
}

/* While the server stops nothing is asked for any more, which is no fault of a structure. */
static void test_draining(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin(&pool, &owner, body_of(80, 80), NULL);
  WAIT_FOR(pool.loop, owner.n_events > 30);
  predictor_drain(pool.predictor, NULL, NULL);
  finish(&pool, &owner);
  assert_int_equal(owner.ended_status, 503);
  assert_int_equal(run_progress(owner.run).n_failed, 0);
  owner_fini(&owner);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_bad_body, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_held_saved_and_gone_on, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_deadline_of_old_calls, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_draining, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
