#include "core/cpu/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define N_TASKS 5

struct log {
  size_t n, thread[N_TASKS], index[N_TASKS];
};

static void write_down(void *context, size_t thread, size_t index) {
  struct log *log = context;
  assert_true(log->n < N_TASKS);
  log->thread[log->n] = thread;
  log->index[log->n++] = index;
}

/* Last task first, threads in turn. */
static void run_backwards(void *n_threads, void (*task)(void *context, size_t thread, size_t index),
                          void *context, size_t n_tasks) {
  for (size_t i = n_tasks; i-- > 0;)
    task(context, i % *(size_t *)n_threads, i);
}

static void test_alone(void **state) {
  (void)state;
  const struct irrep_team empty = IRREP_TEAM_INIT;
  const struct crew crews[] = {{0}, {.team = &empty}};
  for (size_t k = 0; k < 2; k++) {
    struct log log = {0};
    assert_int_equal(crew_size(&crews[k]), 1);
    crew_share(&crews[k], write_down, &log, N_TASKS);
    assert_int_equal(log.n, N_TASKS);
    for (size_t i = 0; i < N_TASKS; i++)
      assert_true(log.thread[i] == 0 && log.index[i] == i);
    log.n = 0;
    crew_share(&crews[k], write_down, &log, 0);
    assert_int_equal(log.n, 0);
  }
}

static void test_helped(void **state) {
  (void)state;
  size_t n_threads = 3;
  const struct irrep_team team = {
      .struct_size = sizeof team, .n_helpers = 2, .context = &n_threads, .run = run_backwards};
  const struct crew crew = {.team = &team};
  struct log log = {0};
  assert_int_equal(crew_size(&crew), 3);
  crew_share(&crew, write_down, &log, N_TASKS);
  assert_int_equal(log.n, N_TASKS);
  for (size_t i = 0; i < N_TASKS; i++)
    assert_true(log.index[i] == N_TASKS - 1 - i && log.thread[i] == log.index[i] % 3);
  /* One task is the caller's. */
  log.n = 0;
  crew_share(&crew, write_down, &log, 1);
  assert_true(log.n == 1 && log.thread[0] == 0 && log.index[0] == 0);
}

static bool read_flag(void *flag) {
  return *(const bool *)flag;
}

static void test_cancelled(void **state) {
  (void)state;
  bool flag = false;
  const struct cancelling cancelling = {read_flag, &flag};
  const struct crew crew = {.cancelling = &cancelling}, stubborn = {0};
  assert_false(crew_is_cancelled(&crew));
  flag = true;
  assert_true(crew_is_cancelled(&crew));
  assert_false(crew_is_cancelled(&stubborn));
}

struct noted {
  size_t n, thread;
  const char *operation;
  bool adjoint;
};

static void note(void *context, size_t thread, const char *operation, bool adjoint) {
  struct noted *noted = context;
  *noted = (struct noted){noted->n + 1, thread, operation, adjoint};
}

static void test_notes(void **state) {
  (void)state;
  struct noted noted = {0};
  const struct irrep_profile profile = {
      .struct_size = sizeof profile, .context = &noted, .note = note};
  const struct crew crew = {.profile = &profile}, silent = {0};
  crew_note(&crew, 2, "geometry", true);
  assert_true(noted.n == 1 && noted.thread == 2 && noted.adjoint);
  assert_string_equal(noted.operation, "geometry");
  crew_note(&silent, 0, "geometry", true);
  assert_int_equal(noted.n, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_alone),
      cmocka_unit_test(test_helped),
      cmocka_unit_test(test_cancelled),
      cmocka_unit_test(test_notes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
