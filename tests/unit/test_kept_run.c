#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/support_kept.h"

static void test_done(void **state) {
  (void)state;
  for (int in_memory = 0; in_memory < 2; in_memory++) {
    struct kept kept;
    kept_set_up(&kept, in_memory);
    struct kept_run *run = kept_add(&kept, "x", SWING("50"));
    WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE);
    char *events = kept_read(&kept, run, 0);
    assert_int_equal(kept_count(events, "\"event\":\"frame\""), 51);
    assert_int_equal(kept_count(events, "\"event\":\"end\""), 2); /* of the structure, and of all */
    assert_true(kept_says(run, "\"state\":\"done\""));
    assert_true(kept_says(run, "\"steps\":50,\"steps_wanted\":50"));
    free(events);
    assert_false(kept_run_pause(run));
    assert_false(kept_run_resume(run));
    assert_false(kept_run_checkpoint(run));
    assert_true(fake_served_metric(&kept.fake, "irrepd_job_seconds_count{kind=\"md\"}") == 1);
    kept_run_forget(run);
    assert_null(kept_runs_next(kept.runs, NULL, NULL));
    kept_tear_down(&kept);
  }
}

static uint64_t steps_of(struct kept *kept) {
  return (uint64_t)fake_served_metric(&kept->fake, "irrepd_trajectory_steps_total");
}

static void turn(struct kept *kept, int n) {
  for (int i = 0; i < n; i++)
    wait_turn(&kept->fake.loop, time(NULL), "turns");
}

static void test_pause_and_resume(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  struct kept_run *run = kept_add(&kept, "x", SWING("100000000"));
  WAIT_FOR(&kept.fake.loop, steps_of(&kept) > 20);
  assert_true(kept_run_pause(run));
  assert_true(kept_run_pause(run));
  assert_int_equal(kept_run_state(run), KEPT_PAUSED);
  WAIT_FOR(&kept.fake.loop, kept_says(run, "\"checkpoints\":1"));
  const uint64_t steps = steps_of(&kept);
  turn(&kept, 50);
  assert_int_equal(steps_of(&kept), steps);
  assert_true(kept_run_resume(run));
  WAIT_FOR(&kept.fake.loop, steps_of(&kept) > steps + 20);
  assert_true(kept_run_checkpoint(run));
  WAIT_FOR(&kept.fake.loop, kept_says(run, "\"checkpoints\":2"));
  kept_run_cancel(run);
  assert_int_equal(kept_run_state(run), KEPT_CANCELLED);
  char *events = kept_read(&kept, run, 0);
  assert_int_equal(kept_count(events, "{\"event\":\"end\",\"state\":\"cancelled\""), 1);
  free(events);
  WAIT_FOR(&kept.fake.loop, kept.pool.n_runs == 0);
  kept_tear_down(&kept);
}

static void test_bad_body(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  kept_begin(&kept, "x", "{\"structures\":[],\"md\":{}}");
  WAIT_FOR(&kept.fake.loop, kept.n_added == 1);
  assert_int_equal(kept.status, 422);
  assert_null(kept.run);
  assert_null(kept_runs_next(kept.runs, NULL, NULL));
  kept_tear_down(&kept);
}

/* Nobody waits for it any more, and it goes on. */
static void test_forsaken(void **state) {
  (void)state;
  struct kept kept;
  struct problem problem;
  kept_set_up(&kept, false);
  const struct kept_call call = {.kind = TRAJECTORY_MD,
                                 .model = FAKE_MODEL,
                                 .client = "x",
                                 .owner = "x",
                                 .body = strdup(SWING("5")),
                                 .size = strlen(SWING("5")),
                                 .added = kept_on_added,
                                 .context = &kept};
  struct kept_run *run = kept_runs_add(kept.runs, &call, &problem);
  assert_non_null(run);
  kept_run_forsake(run);
  WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE);
  assert_int_equal(kept.n_added, 0);
  kept_tear_down(&kept);
}

/* Whatever is under way when it is forgotten or cancelled. */
static void test_any_moment(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  for (int turns = 0; turns < 30; turns += 3) {
    struct kept_run *run = kept_add(&kept, "x", SWING("100000000"));
    turn(&kept, turns);
    if (turns % 2 == 0)
      kept_run_cancel(run);
    kept_run_forget(run);
  }
  assert_null(kept_runs_next(kept.runs, NULL, NULL));
  kept_tear_down(&kept);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_done),       cmocka_unit_test(test_pause_and_resume),
      cmocka_unit_test(test_bad_body),   cmocka_unit_test(test_forsaken),
      cmocka_unit_test(test_any_moment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
