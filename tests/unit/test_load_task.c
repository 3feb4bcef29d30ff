#define _GNU_SOURCE /* mkdtemp */
#include "server/models/load_task.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

struct fixture {
  char folder[64], path[96];
  uv_loop_t loop;
  size_t n_done;
  enum irrep_status status;
  struct irrep_model *model;
  double seconds;
};

static void on_done(struct load_task *task) {
  struct fixture *f = task->context;
  f->n_done++;
  f->status = task->error.status;
  f->model = task->model;
  f->seconds = task->seconds;
}

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f)
    return -1;
  *state = f;
  snprintf(f->folder, sizeof f->folder, "/tmp/test_load_task_XXXXXX");
  if (!mkdtemp(f->folder) || uv_loop_init(&f->loop) != 0)
    return -1;
  snprintf(f->path, sizeof f->path, "%s/m", f->folder);
  FILE *file = fopen(f->path, "w");
  return file && fputs(FAKE_FILE, file) >= 0 && fclose(file) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  fake_free(f->model);
  unlink(f->path);
  rmdir(f->folder);
  int open_handles = uv_loop_close(&f->loop);
  free(f);
  return open_handles;
}

static void test_done(void **state) {
  struct fixture *f = *state;
  assert_non_null(load_task_begin(&f->loop, &fake_evaluator, f->folder, f->path, on_done, f));
  assert_int_equal(f->n_done, 0);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->n_done, 1);
  assert_int_equal(f->status, IRREP_OK);
  assert_non_null(f->model);
  assert_true(f->seconds > 0);
}

static void test_failure(void **state) {
  struct fixture *f = *state;
  assert_non_null(
      load_task_begin(&f->loop, &fake_evaluator, f->folder, "/no/such/file", on_done, f));
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->n_done, 1);
  assert_int_equal(f->status, IRREP_BAD_MODEL_FILE);
  assert_null(f->model);
}

/* Before the thread has begun, while it works, and after: nothing is reported, nothing leaks. */
static void test_abandoned(void **state) {
  struct fixture *f = *state;
  struct load_task *tasks[12];
  for (size_t i = 0; i < 12; i++) {
    tasks[i] = load_task_begin(&f->loop, &fake_evaluator, f->folder, f->path, on_done, f);
    assert_non_null(tasks[i]);
  }
  for (size_t i = 0; i < 12; i++) {
    if (i == 6)
      usleep(2000);
    load_task_abandon(tasks[i]);
  }
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->n_done, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_done, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_abandoned, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
