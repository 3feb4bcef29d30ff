#define _GNU_SOURCE /* mkdtemp */
#include "server/runs/kept_inside.h"
#include "tests/unit/support_kept.h"

#include <unistd.h>

static struct kept_run *made_at(struct kept *kept, int64_t created_s) {
  struct kept_run *run =
      kept_run_new(kept->runs, TRAJECTORY_MD, FAKE_MODEL, "somebody", created_s == 2 ? "b" : NULL);
  assert_non_null(run);
  run->created_s = created_s;
  run->state = KEPT_DONE;
  kept_list(run);
  return run;
}

/* The oldest comes first, and who is as old as another comes behind it. */
static void test_order(void **state) {
  static const int64_t created[] = {2, 5, 1, 2, 9, 0};
  static const size_t order[] = {5, 2, 0, 3, 1, 4};
  (void)state;
  struct kept kept;
  struct kept_run *runs[6];
  kept_set_up(&kept, true);
  for (size_t i = 0; i < 6; i++)
    runs[i] = made_at(&kept, created[i]);
  const struct kept_run *at = kept.runs->first;
  for (size_t i = 0; i < 6; i++, at = at->next)
    assert_ptr_equal(at, runs[order[i]]);
  assert_null(at);
  assert_string_equal(runs[0]->owner, "b");
  assert_string_equal(runs[1]->owner, "");
  kept_run_forget(runs[0]);
  kept_run_forget(runs[4]);
  assert_ptr_equal(runs[2]->next, runs[3]);
  assert_null(runs[1]->next);
  kept_tear_down(&kept);
}

static void count(void *context) {
  ++*(size_t *)context;
}

/* One that is forgotten stays in memory for as long as somebody has a part of it; who listens is
 * told. */
static void test_users(void **state) {
  (void)state;
  struct kept kept;
  size_t n_woken = 0;
  kept_set_up(&kept, true);
  struct kept_run *run = made_at(&kept, 1);
  struct kept_listener second = {NULL, count, &n_woken}, first = {&second, count, &n_woken};
  run->listeners = &first;
  run->n_users = 2;
  kept_wake_readers(run);
  assert_int_equal(n_woken, 2);
  kept_run_forget(run);
  assert_int_equal(n_woken, 4);
  assert_null(kept.runs->first);
  assert_true(run->is_forgotten);
  run->n_users = 0;
  kept_free_when_left(run);
  kept_tear_down(&kept);
}

/* Its files go with it. */
static void test_files(void **state) {
  (void)state;
  struct kept kept;
  char path[160];
  kept_set_up(&kept, false);
  struct kept_run *run = kept_add(&kept, "a", SWING("2"));
  WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE && !run->write);
  snprintf(path, sizeof path, "%s/%s", kept.folder, kept_run_id(run));
  assert_int_equal(access(path, F_OK), 0);
  assert_true(kept.runs->bytes > 0);
  kept_run_forget(run);
  assert_int_equal(kept.runs->bytes, 0);
  WAIT_FOR(&kept.fake.loop, access(path, F_OK) != 0);
  kept_tear_down(&kept);
}

/* A drain waits for what is written, and for what is still to be. */
static void test_drained(void **state) {
  (void)state;
  struct kept kept;
  size_t n_drained = 0;
  kept_set_up(&kept, true);
  struct kept_run *run = made_at(&kept, 1);
  kept.runs->draining = true;
  kept.runs->drained = count;
  kept.runs->drained_context = &n_drained;
  run->state = KEPT_RUNNING;
  text_puts(&run->pending, "a frame");
  kept_check_drained(kept.runs);
  assert_int_equal(n_drained, 0);
  run->pending.size = 0;
  kept.runs->n_writes = 1;
  kept_check_drained(kept.runs);
  assert_int_equal(n_drained, 0);
  kept.runs->n_writes = 0;
  kept_check_drained(kept.runs);
  kept_check_drained(kept.runs); /* it is told once */
  assert_int_equal(n_drained, 1);
  kept_run_forget(run);
  kept_tear_down(&kept);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_users),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_drained),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
