#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/support_kept.h"

static void test_owners(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  struct kept_run *a = kept_add(&kept, "a", SWING("1")), *b = kept_add(&kept, "b", SWING("1"));
  assert_ptr_equal(kept_runs_next(kept.runs, NULL, "a"), a);
  assert_null(kept_runs_next(kept.runs, a, "a"));
  assert_ptr_equal(kept_runs_next(kept.runs, NULL, "b"), b);
  assert_null(kept_runs_next(kept.runs, NULL, "c"));
  assert_ptr_equal(kept_runs_next(kept.runs, kept_runs_next(kept.runs, NULL, NULL), NULL), b);
  assert_ptr_equal(kept_runs_find(kept.runs, kept_run_id(a), "a"), a);
  assert_ptr_equal(kept_runs_find(kept.runs, kept_run_id(a), NULL), a);
  assert_null(kept_runs_find(kept.runs, kept_run_id(a), "b"));
  assert_null(kept_runs_find(kept.runs, "", NULL));
  kept_tear_down(&kept);
}

static void test_quotas(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  kept.fake.config.max_jobs = 3;
  kept.fake.config.max_jobs_client = 2;
  struct kept_run *first = kept_add(&kept, "a", SWING("100000000"));
  kept_add(&kept, "a", SWING("100000000"));
  kept_begin(&kept, "a", SWING("1"));
  assert_int_equal(kept.status, 429);
  kept_add(&kept, "b", SWING("100000000"));
  kept_begin(&kept, "b", SWING("1"));
  assert_int_equal(kept.status, 503);
  kept_run_cancel(first);
  kept_begin(&kept, "a", SWING("1"));
  assert_int_equal(kept.status, 503); /* it is kept all the same */
  kept_run_forget(first);
  kept_add(&kept, "a", SWING("1"));
  kept.fake.config.max_jobs = 10;
  kept.fake.config.max_receiving_bytes = 300;
  kept_begin(&kept, "c", SWING("1"));
  assert_int_equal(kept.status, 503);
  kept_tear_down(&kept);
}

/* What runs when the daemon stops goes on with the next, what has ended is there, and what is
 * paused stays so. */
static void test_drain_and_restart(void **state) {
  (void)state;
  struct kept kept;
  char ids[3][STORE_ID_SIZE];
  kept_set_up(&kept, false);
  struct kept_run *runs[3];
  for (size_t i = 0; i < 3; i++) {
    runs[i] = kept_add(&kept, "a", i == 0 ? SWING("3") : SWING("4000"));
    memcpy(ids[i], kept_run_id(runs[i]), STORE_ID_SIZE);
  }
  assert_true(kept_run_pause(runs[1]));
  WAIT_FOR(&kept.fake.loop, kept_run_state(runs[0]) == KEPT_DONE);
  kept_drain(&kept);
  kept_open(&kept);
  for (size_t i = 0; i < 3; i++) {
    runs[i] = kept_runs_find(kept.runs, ids[i], "a");
    assert_non_null(runs[i]);
  }
  assert_int_equal(kept_run_state(runs[0]), KEPT_DONE);
  assert_int_equal(kept_run_state(runs[1]), KEPT_PAUSED);
  WAIT_FOR(&kept.fake.loop, kept_run_state(runs[2]) == KEPT_DONE);
  assert_int_equal(kept_run_state(runs[1]), KEPT_PAUSED);
  assert_true(kept_run_resume(runs[1]));
  WAIT_FOR(&kept.fake.loop, kept_run_state(runs[1]) == KEPT_DONE);
  char *one = kept_read(&kept, runs[1], 0), *two = kept_read(&kept, runs[2], 0);
  assert_string_equal(one, two);
  assert_int_equal(kept_count(one, "\"event\":\"frame\""), 4001);
  free(one);
  free(two);
  kept_tear_down(&kept);
}

static void test_nothing_begins_while_it_drains(void **state) {
  (void)state;
  struct kept kept;
  bool drained = false;
  kept_set_up(&kept, false);
  kept_begin(&kept, "a", SWING("5"));
  kept_runs_drain(kept.runs, kept_note_drained, &drained);
  assert_int_equal(kept.n_added, 1); /* the one that had begun is told so */
  assert_int_equal(kept.status, 503);
  kept_begin(&kept, "a", SWING("5"));
  assert_int_equal(kept.status, 503);
  WAIT_FOR(&kept.fake.loop, drained);
  kept_tear_down(&kept);
}

static void test_age(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  kept.fake.config.jobs_age_s = 1;
  kept_add(&kept, "a", SWING("1"));
  struct kept_run *running = kept_add(&kept, "a", SWING("100000000"));
  WAIT_FOR(&kept.fake.loop, kept_runs_next(kept.runs, NULL, NULL) == running);
  assert_null(kept_runs_next(kept.runs, running, NULL));
  kept_tear_down(&kept);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_owners),
      cmocka_unit_test(test_quotas),
      cmocka_unit_test(test_drain_and_restart),
      cmocka_unit_test(test_nothing_begins_while_it_drains),
      cmocka_unit_test(test_age),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
