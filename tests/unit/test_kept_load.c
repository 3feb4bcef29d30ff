#define _GNU_SOURCE /* mkdtemp */
#include "tests/unit/support_kept.h"

#include <fcntl.h>
#include <unistd.h>

static void flip(const struct kept *kept, const char *id, const char *name, long from_end) {
  char path[192];
  unsigned char byte;
  snprintf(path, sizeof path, "%s/%s/%s", kept->folder, id, name);
  const int fd = open(path, O_RDWR);
  assert_true(fd >= 0);
  const off_t at = lseek(fd, 0, SEEK_END) - from_end;
  assert_int_equal(pread(fd, &byte, 1, at), 1);
  byte ^= 1;
  assert_int_equal(pwrite(fd, &byte, 1, at), 1);
  close(fd);
}

/* What is damaged is left alone, the others go on. */
static void test_damaged(void **state) {
  (void)state;
  struct kept kept;
  char ids[3][STORE_ID_SIZE];
  kept_set_up(&kept, false);
  for (size_t i = 0; i < 3; i++)
    memcpy(ids[i], kept_run_id(kept_add(&kept, "x", SWING("100000000"))), STORE_ID_SIZE);
  kept_drain(&kept);
  flip(&kept, ids[0], "request", 3);
  flip(&kept, ids[1], "state", 3);
  kept_open(&kept);
  const struct kept_run *only = kept_runs_next(kept.runs, NULL, NULL);
  assert_non_null(only);
  assert_string_equal(kept_run_id(only), ids[2]);
  assert_null(kept_runs_next(kept.runs, only, NULL));
  kept_tear_down(&kept);
}

/* A folder without a request was being begun, or forgotten, when the daemon was killed. */
static void test_half_a_job(void **state) {
  (void)state;
  struct kept kept;
  char path[192];
  kept_set_up(&kept, false);
  struct kept_run *run = kept_add(&kept, "x", SWING("100000000"));
  snprintf(path, sizeof path, "%s/%s", kept.folder, kept_run_id(run));
  kept_drain(&kept);
  char request[224];
  snprintf(request, sizeof request, "%s/request", path);
  assert_int_equal(unlink(request), 0);
  kept_open(&kept);
  assert_null(kept_runs_next(kept.runs, NULL, NULL));
  assert_int_equal(access(path, F_OK), -1);
  kept_tear_down(&kept);
}

/* Events that are lost with a torn tail are told anew, with the same bits; a checkpoint behind them
 * or none makes no difference. */
static void test_torn_tail(void **state) {
  (void)state;
  struct kept kept;
  char id[STORE_ID_SIZE], path[192];
  kept_set_up(&kept, false);
  struct kept_run *run = kept_add(&kept, "x", SWING("600"));
  memcpy(id, kept_run_id(run), STORE_ID_SIZE);
  WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE);
  char *whole = kept_read(&kept, run, 0);
  for (long from_end = 1; from_end < 100000; from_end *= 30) {
    kept_drain(&kept);
    flip(&kept, id, "frames", from_end);
    if (from_end > 1) {
      snprintf(path, sizeof path, "%s/%s/state", kept.folder, id);
      unlink(path);
    }
    kept_open(&kept);
    run = kept_runs_find(kept.runs, id, "x");
    assert_non_null(run);
    assert_int_equal(kept_run_state(run), KEPT_QUEUED);
    WAIT_FOR(&kept.fake.loop, kept_run_state(run) == KEPT_DONE);
    char *again = kept_read(&kept, run, 0);
    assert_string_equal(again, whole);
    free(again);
  }
  free(whole);
  kept_tear_down(&kept);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_damaged),
      cmocka_unit_test(test_half_a_job),
      cmocka_unit_test(test_torn_tail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
