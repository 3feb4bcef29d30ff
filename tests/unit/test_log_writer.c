#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "server/base/log_writer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define PAGE 4096

/* A pipe for stderr, and what stderr was. */
struct fixture {
  int ends[2], saved;
  size_t lost;
};

static size_t notice(char *line, size_t lost) {
  return (size_t)snprintf(line, LOG_LINE_MAX, "%zu were lost\n", lost);
}

/* Of one page, or as large as pipes are; one that holds anything is full then for who asks. */
static struct fixture begin(bool one_page) {
  struct fixture f = {.lost = log_writer_lost()};
  assert_int_equal(pipe(f.ends), 0);
  if (one_page)
    assert_int_equal(fcntl(f.ends[1], F_SETPIPE_SZ, PAGE), PAGE);
  f.saved = dup(STDERR_FILENO);
  dup2(f.ends[1], STDERR_FILENO);
  return f;
}

static void end(struct fixture *f) {
  dup2(f->saved, STDERR_FILENO);
  close(f->saved);
  close(f->ends[0]);
  close(f->ends[1]);
}

static void put(const char *line) {
  log_writer_put(STDERR_FILENO, line, strlen(line));
}

/* The line that comes next. */
static void expect(const struct fixture *f, const char *line) {
  char got[LOG_LINE_MAX];
  size_t n = 0;
  while (n == 0 || got[n - 1] != '\n')
    assert_int_equal(read(f->ends[0], &got[n++], 1), 1);
  got[n] = '\0';
  assert_string_equal(got, line);
}

static void test_order(void **state) {
  (void)state;
  struct fixture f = begin(true);
  assert_true(log_writer_start(notice));
  assert_false(log_writer_start(notice));
  put("one\n");
  put("two\n");
  expect(&f, "one\n");
  expect(&f, "two\n");
  log_writer_stop(10000);
  put("three\n"); /* by itself */
  expect(&f, "three\n");
  assert_int_equal(log_writer_lost() - f.lost, 0);
  end(&f);
}

/* Who puts a line does not wait for a reader that stalls; what finds no room is lost, and the
 * reader is told how much when it goes on. */
static void test_nobody_reads(void **state) {
  (void)state;
  struct fixture f = begin(true);
  char line[1001], wanted[64];
  const size_t n = 3000; /* three times the buffer */
  memset(line, 'x', sizeof line - 1);
  line[sizeof line - 2] = '\n';
  line[sizeof line - 1] = '\0';
  assert_true(log_writer_start(notice));
  for (size_t i = 0; i < n; i++)
    put(line);
  const size_t lost = log_writer_lost() - f.lost;
  assert_in_range(lost, 1900, 2100);
  for (size_t i = 0; i < n - lost; i++)
    expect(&f, line);
  snprintf(wanted, sizeof wanted, "%zu were lost\n", lost);
  expect(&f, wanted);
  put("again\n");
  expect(&f, "again\n");
  log_writer_stop(10000);
  assert_int_equal(log_writer_lost() - f.lost, lost);
  end(&f);
}

/* What waits is written before the end. */
static void test_stop_writes_all(void **state) {
  (void)state;
  struct fixture f = begin(false);
  char line[32];
  assert_true(log_writer_start(notice));
  for (int i = 0; i < 100; i++) {
    snprintf(line, sizeof line, "line %d\n", i);
    put(line);
  }
  log_writer_stop(10000);
  for (int i = 0; i < 100; i++) {
    snprintf(line, sizeof line, "line %d\n", i);
    expect(&f, line);
  }
  end(&f);
}

/* Where the reader has gone, lines are lost, and nobody is told of them. */
static void test_no_reader(void **state) {
  (void)state;
  struct fixture f = begin(true);
  assert_true(log_writer_start(notice));
  close(f.ends[0]);
  put("lost\n");
  log_writer_stop(10000);
  f.ends[0] = dup(f.saved);
  end(&f);
  assert_int_equal(log_writer_lost() - f.lost, 1);
}

/* Last: the end does not wait for a reader that stalls; its thread is left behind. */
static void test_stop_beside_a_stalled_reader(void **state) {
  (void)state;
  struct fixture f = begin(true);
  char page[PAGE] = "";
  assert_true(log_writer_start(notice));
  assert_int_equal(write(f.ends[1], page, sizeof page), sizeof page);
  put("lost\n");
  log_writer_stop(10);
  const bool started = log_writer_start(notice);
  const ssize_t n = read(f.ends[0], page, sizeof page);
  end(&f);
  assert_false(started);
  assert_int_equal(n, sizeof page);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_nobody_reads),
      cmocka_unit_test(test_stop_writes_all),
      cmocka_unit_test(test_no_reader),
      cmocka_unit_test(test_stop_beside_a_stalled_reader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
