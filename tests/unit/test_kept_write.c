#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/support_kept.h"

#include <unistd.h>

static void move_away(const struct kept *kept, bool back) {
  char away[80];
  snprintf(away, sizeof away, "%s.away", kept->folder);
  assert_int_equal(back ? rename(away, kept->folder) : rename(kept->folder, away), 0);
}

/* One that cannot be kept is not begun. */
static void test_not_added(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  move_away(&kept, false);
  kept_begin(&kept, "x", SWING("5"));
  WAIT_FOR(&kept.fake.loop, kept.n_added == 1);
  assert_int_equal(kept.status, 503);
  assert_null(kept_runs_next(kept.runs, NULL, NULL));
  move_away(&kept, true);
  kept_tear_down(&kept);
}

/* One that cannot be written any more stands still with its reason, loses nothing, and goes on. */
static void test_stands_still(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  struct kept_run *run = kept_add(&kept, "x", SWING("3000"));
  move_away(&kept, false);
  kept_run_checkpoint(run);
  WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_PAUSED);
  assert_true(kept_says(run, "a checkpoint could not be written: No such file or directory"));
  move_away(&kept, true);
  assert_true(kept_run_resume(run));
  assert_true(kept_says(run, "\"reason\":\"\""));
  WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE);
  char *events = kept_read(&kept, run, 0);
  assert_int_equal(kept_count(events, "\"event\":\"frame\""), 3001);
  free(events);
  kept_tear_down(&kept);
}

static void test_quota(void **state) {
  (void)state;
  for (int in_memory = 0; in_memory < 2; in_memory++) {
    struct kept kept;
    kept_set_up(&kept, in_memory);
    kept.fake.config.jobs_bytes = kept.fake.config.max_receiving_bytes = 300000;
    struct kept_run *run = kept_add(&kept, "x", SWING("100000000"));
    WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_PAUSED);
    assert_true(kept_says(run, in_memory ? "--max-receiving-bytes" : "--jobs-bytes"));
    kept.fake.config.jobs_bytes = kept.fake.config.max_receiving_bytes = 600000;
    assert_true(kept_run_resume(run));
    WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_PAUSED);
    kept_run_cancel(run); /* what is to be written then is, so that readers see its end */
    char *events = kept_read(&kept, run, 0);
    assert_int_equal(kept_count(events, "\"state\":\"cancelled\""), 1);
    free(events);
    kept_tear_down(&kept);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_not_added),
      cmocka_unit_test(test_stands_still),
      cmocka_unit_test(test_quota),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
