#define _GNU_SOURCE /* mkdtemp */
#include "server/runs/kept_inside.h"
#include "tests/unit/support_kept.h"

static void test_names(void **state) {
  (void)state;
  for (int i = 0; i < KEPT_N_STATES; i++) {
    const char *name = kept_state_name((enum kept_state)i);
    assert_string_not_equal(name, "unknown");
    for (int k = 0; k < i; k++)
      assert_string_not_equal(name, kept_state_name((enum kept_state)k));
  }
  assert_string_equal(kept_state_name(KEPT_N_STATES), "unknown");
}

/* A run stands still as long as anything holds it, and each holds it once. */
static void test_holding(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  struct kept_run *run = kept_add(&kept, "a", SWING("100000000"));
  WAIT_FOR(&kept.fake.loop, kept_steps(run) > 3);
  kept_hold(run, &run->holds_paused);
  kept_hold(run, &run->holds_paused);
  kept_hold(run, &run->holds_saving);
  WAIT_FOR(&kept.fake.loop, !run->holds_saving); /* it is saved when quiet */
  kept_hold(run, &run->holds_draining);
  const uint64_t steps = kept_steps(run);
  kept_let_go(run, &run->holds_paused);
  kept_let_go(run, &run->holds_paused);
  for (int i = 0; i < 50; i++)
    uv_run(&kept.fake.loop, UV_RUN_NOWAIT);
  assert_int_equal(kept_steps(run), steps);
  kept_let_go(run, &run->holds_draining);
  WAIT_FOR(&kept.fake.loop, kept_steps(run) > steps);
  kept_tear_down(&kept);
}

/* The clock of a run goes while it runs; the metrics know how many do. */
static void test_entering(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, true);
  struct kept_run *run = kept_add(&kept, "a", SWING("100000000"));
  WAIT_FOR(&kept.fake.loop, run->state == KEPT_RUNNING);
  assert_true(run->began_ns > 0 && run->seconds == 0);
  assert_true(fake_served_metric(&kept.fake, "irrepd_jobs{kind=\"md\",state=\"running\"}") == 1);
  kept_stop(run, "a reason");
  assert_int_equal(run->state, KEPT_PAUSED);
  assert_string_equal(run->reason, "a reason");
  assert_true(run->holds_paused && run->began_ns == 0 && run->seconds > 0);
  assert_true(fake_served_metric(&kept.fake, "irrepd_jobs{kind=\"md\",state=\"running\"}") == 0);
  assert_true(fake_served_metric(&kept.fake, "irrepd_jobs{kind=\"md\",state=\"paused\"}") == 1);
  kept_enter(run, KEPT_RUNNING, run->reason); /* which stays */
  assert_string_equal(run->reason, "a reason");
  kept_let_go(run, &run->holds_paused);
  kept_tear_down(&kept);
}

/* What is lost ends when it is quiet, for its reason. */
static void test_lost(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, true);
  struct kept_run *run = kept_add(&kept, "a", SWING("100000000"));
  WAIT_FOR(&kept.fake.loop, kept_steps(run) > 3);
  kept_lose(run, "it is lost");
  assert_false(kept_run_has_ended(run));
  WAIT_FOR(&kept.fake.loop, kept_run_has_ended(run));
  assert_int_equal(kept_run_state(run), KEPT_FAILED);
  assert_string_equal(run->reason, "it is lost");
  kept_tear_down(&kept);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_holding),
      cmocka_unit_test(test_entering),
      cmocka_unit_test(test_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
