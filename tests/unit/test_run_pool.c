#define _GNU_SOURCE /* mkdtemp */
#include "server/runs/run_inside.h"
#include "tests/unit/support_run.h"

/* Runs that find no room for their state machines wait for others. */
static void test_room(void **state) {
  struct run_pool pool = pool_of(*state);
  struct fake_served *fake = *state;
  struct owner owners[3];
  /* Beside what is held of bodies, a quarter has room for one. */
  fake->config.memory_budget = 4 * (((size_t)1 << 20) + 14000);
  predictor_limits_changed(fake->predictor);
  for (size_t i = 0; i < 3; i++)
    begin(&pool, &owners[i], body_of(3, 3), NULL);
  for (size_t i = 0; i < 3; i++) {
    WAIT_FOR(pool.loop, owners[i].n_ended > 0 || pool.bytes > 14000);
    assert_true(pool.bytes <= 14000);
    assert_int_equal(predictor_ledger(fake->predictor)->used[LEDGER_RUNS],
                     pool.bytes + pool.held_taken);
    assert_int_equal(run_progress(owners[i].run).n_converged, 3);
  }
  for (size_t i = 0; i < 3; i++)
    owner_fini(&owners[i]);
  assert_int_equal(predictor_ledger(fake->predictor)->used[LEDGER_RUNS], 0);
}

/* One alone takes whatever it needs; others only what is left, and are told when some is given
 * back, unless they have left. */
static void test_taking_and_giving(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner first, second;
  const size_t most = run_pool_most(&pool);
  begin(&pool, &first, strdup("{\"structures\":[]}"), NULL);
  begin(&pool, &second, strdup("{\"structures\":[]}"), NULL);
  assert_true(run_pool_take(&pool, 2 * most));
  assert_false(run_pool_take(&pool, 1));
  assert_int_equal(pool.bytes, 2 * most);
  run_pool_wait(first.run);
  run_pool_wait(second.run);
  run_pool_wait(second.run); /* nothing happens twice */
  run_pool_leave(first.run);
  run_pool_leave(first.run);
  run_pool_give(&pool, 2 * most);
  assert_null(pool.waiting);
  assert_true(second.run->fills);
  assert_false(first.run->fills);
  second.run->fills = false; /* it has nothing to fill slots with */
  assert_true(run_pool_take(&pool, 1));
  assert_true(run_pool_take(&pool, 1));
  run_pool_give(&pool, 2);
  assert_int_equal(pool.bytes, 0);
  owner_fini(&first);
  owner_fini(&second);
}

static void test_need(void **state) {
  struct run_pool pool = pool_of(*state);
  struct owner owner;
  begin(&pool, &owner, body_of(2, 2), NULL);
  assert_true(owner.run->is_read);
  assert_true(run_pool_need(owner.run, 0) > irrep_relax_bytes(&run_spec(owner.run)->relax, 2));
  assert_int_equal(run_pool_need(owner.run, 0), run_pool_need(owner.run, 1));
  owner_fini(&owner);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_taking_and_giving, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_need, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
