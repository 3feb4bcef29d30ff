#define _GNU_SOURCE /* mkdtemp */
#include "server/base/ledger.h"
#include "server/runs/run_memory.h"
#include "tests/unit/support_kept.h"

#define FORGOTTEN "irrepd_jobs_forgotten_total{reason=\"room\"}"

static size_t count(const struct kept *kept) {
  size_t n = 0;
  for (struct kept_run *run = NULL; (run = kept_runs_next(kept->runs, run, NULL));)
    n++;
  return n;
}

static struct kept_run *add_ended(struct kept *kept, const char *owner, const char *body) {
  struct kept_run *run = kept_add(kept, owner, body);
  free(kept_read(kept, run, 0)); /* until all is written */
  assert_true(kept_run_has_ended(run));
  return run;
}

/* Of as many jobs as may be, the one that ended first makes room for another; none that runs. */
static void test_count(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, true);
  kept.fake.config.max_jobs = 3;
  struct kept_run *running = kept_add(&kept, "a", SWING("100000000"));
  char first[STORE_ID_SIZE];
  strcpy(first, kept_run_id(add_ended(&kept, "a", SWING("1"))));
  struct kept_run *second = add_ended(&kept, "b", SWING("1"));
  struct kept_run *third = kept_add(&kept, "b", SWING("100000000"));
  assert_int_equal(count(&kept), 3);
  assert_null(kept_runs_find(kept.runs, first, NULL));
  assert_true(fake_served_metric(&kept.fake, FORGOTTEN) == 1);
  struct kept_run *fourth = kept_add(&kept, "b", SWING("100000000")); /* in place of the second */
  assert_int_equal(count(&kept), 3);
  assert_ptr_not_equal(kept_runs_find(kept.runs, kept_run_id(fourth), NULL), second);
  kept_begin(&kept, "b", SWING("1"));
  assert_int_equal(kept.status, 503);
  assert_int_equal(kept_run_state(running), KEPT_RUNNING);
  assert_int_equal(kept_run_state(third), KEPT_RUNNING);
  kept_tear_down(&kept);
}

/* Who is read is not forgotten. */
static void test_readers(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, true);
  kept.fake.config.max_jobs = 1;
  struct kept_run *run = add_ended(&kept, "a", SWING("2"));
  struct kept_reader *reader = kept_reader_new(run, 0, kept_ignore, NULL);
  assert_non_null(reader);
  kept_begin(&kept, "a", SWING("1"));
  assert_int_equal(kept.status, 503);
  kept_reader_free(reader);
  kept_add(&kept, "a", SWING("1"));
  assert_int_equal(count(&kept), 1);
  kept_tear_down(&kept);
}

/* Frames that find no room push those out that have ended, instead of standing still. */
static void test_frames(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, true);
  struct kept_run *first = add_ended(&kept, "a", SWING("200"));
  char *told = kept_read(&kept, first, 0);
  kept.fake.config.max_receiving_bytes = 3 * strlen(told); /* records have heads beside */
  free(told);
  char id[STORE_ID_SIZE];
  strcpy(id, kept_run_id(first));
  struct kept_run *second = add_ended(&kept, "a", SWING("200"));
  struct kept_run *third = add_ended(&kept, "a", SWING("200"));
  assert_int_equal(kept_run_state(second), KEPT_DONE);
  assert_int_equal(kept_run_state(third), KEPT_DONE);
  assert_null(kept_runs_find(kept.runs, id, NULL));
  kept_tear_down(&kept);
}

/* What is held for jobs that have ended is given to what moves; not for what can never fit. */
static void test_part(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, true);
  const size_t part = ledger_part(predictor_ledger(kept.fake.predictor), LEDGER_RUNS);
  add_ended(&kept, "a", SWING("1"));
  assert_false(run_memory_find(&kept.pool, SIZE_MAX));
  assert_int_equal(count(&kept), 1);
  assert_true(run_memory_find(&kept.pool, part));
  assert_int_equal(count(&kept), 0);
  assert_true(fake_served_metric(&kept.fake, FORGOTTEN) == 1);
  kept_tear_down(&kept);
}

/* In a folder none makes room. */
static void test_folder(void **state) {
  (void)state;
  struct kept kept;
  kept_set_up(&kept, false);
  kept.fake.config.max_jobs = 1;
  add_ended(&kept, "a", SWING("1"));
  kept_begin(&kept, "a", SWING("1"));
  assert_int_equal(kept.status, 503);
  assert_int_equal(count(&kept), 1);
  kept_tear_down(&kept);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_count), cmocka_unit_test(test_readers), cmocka_unit_test(test_frames),
      cmocka_unit_test(test_part),  cmocka_unit_test(test_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
