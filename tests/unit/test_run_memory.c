#define _GNU_SOURCE /* mkdtemp */
#include "server/base/ledger.h"
#include "server/runs/run_memory.h"
#include "tests/unit/support_kept.h"
#include "tests/unit/support_run.h"

#define MIB ((size_t)1 << 20)

static size_t used(const struct run_pool *pool) {
  return predictor_ledger(pool->predictor)->used[LEDGER_RUNS];
}

/* The ledger hears of whole steps, and of nothing in the end. */
static void test_steps(void **state) {
  struct run_pool pool = pool_of(*state);
  size_t one = 0, two = 0;
  run_memory_hold(&pool, &one, 1);
  assert_int_equal(used(&pool), MIB);
  run_memory_hold(&pool, &two, MIB);
  assert_int_equal(used(&pool), 2 * MIB);
  run_memory_hold(&pool, &two, MIB - 2); /* not back and forth */
  assert_int_equal(used(&pool), 2 * MIB);
  run_memory_hold(&pool, &two, 3 * MIB);
  assert_int_equal(used(&pool), 4 * MIB);
  assert_int_equal(pool.held, 3 * MIB + 1);
  run_memory_hold(&pool, &two, 0);
  assert_int_equal(used(&pool), MIB);
  run_memory_hold(&pool, &one, 0);
  assert_int_equal(used(&pool), 0);
}

static void test_left(void **state) {
  struct run_pool pool = pool_of(*state);
  struct ledger *ledger = predictor_ledger(pool.predictor);
  const size_t part = ledger_part(ledger, LEDGER_RUNS);
  size_t held = 0;
  assert_true(run_memory_left(&pool, part + 1)); /* it would be alone */
  assert_false(run_memory_left(&pool, SIZE_MAX));
  run_memory_hold(&pool, &held, 1);
  assert_true(run_memory_left(&pool, part - 1)); /* of its step all but a byte is free */
  assert_false(run_memory_left(&pool, part));
  run_memory_hold(&pool, &held, 0);
}

/* A body that finds no room is refused before it is read, but not one that was let in before. */
static void test_bodies(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  size_t held = 0;
  const size_t part = ledger_part(predictor_ledger(pool.predictor), LEDGER_RUNS);
  run_memory_hold(&pool, &held, (part / MIB + 1) * MIB);
  begin(&pool, &owner, body_of(1, 1), NULL);
  WAIT_FOR(pool.loop, owner.n_begun > 0);
  assert_int_equal(owner.begun_status, 503);
  owner_fini(&owner);
  owner = (struct owner){0};
  char *body = body_of(1, 1);
  const struct run_call call = {.kind = TRAJECTORY_RELAX,
                                .model = FAKE_MODEL,
                                .body = body,
                                .size = strlen(body),
                                .was_let_in = true,
                                .owner = {on_begun, on_event, on_quiet, on_ended, NULL, &owner}};
  owner.run = run_new(&pool, &call);
  finish(&pool, &owner);
  assert_int_equal(owner.begun_status, 0);
  owner_fini(&owner);
  run_memory_hold(&pool, &held, 0);
  assert_int_equal(used(&pool), 0);
}

/* What a run has read is counted until it is freed. */
static void test_structures(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin(&pool, &owner, body_of(70, 70), NULL);
  assert_true(pool.held >= 70 * sizeof(struct request_item));
  finish(&pool, &owner);
  assert_true(pool.held >= 70 * sizeof(struct request_item));
  owner_fini(&owner);
  assert_int_equal(pool.held, 0);
  assert_int_equal(used(&pool), 0);
}

/* Frames that are kept in memory count until they are forgotten; in a folder only while they wait
 * to be written. */
static void test_records(void **state) {
  (void)state;
  for (int in_memory = 0; in_memory < 2; in_memory++) {
    struct kept kept;
    kept_set_up(&kept, in_memory == 1);
    struct kept_run *run = kept_add(&kept, "x", SWING("2000"));
    WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE);
    char *whole = kept_read(&kept, run, 0); /* all is written by then */
    if (in_memory == 1)
      assert_true(kept.pool.held > strlen(whole));
    else
      assert_true(kept.pool.held < 10000);
    kept_run_forget(run);
    assert_int_equal(kept.pool.held, 0);
    free(whole);
    kept_tear_down(&kept);
    assert_int_equal(kept.pool.held, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_steps, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_left, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_bodies, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_structures, set_up, tear_down),
      cmocka_unit_test(test_records),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
