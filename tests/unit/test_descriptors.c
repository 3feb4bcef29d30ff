#include "server/os/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_room_is_made(void **state) {
  (void)state;
  uv_loop_t loop;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_true(loop.nwatchers < 500);
  assert_true(descriptors_reserve(&loop, 500));
  const unsigned room = loop.nwatchers;
  assert_true(room >= 500);
  assert_true(descriptors_reserve(&loop, 400)); /* there already */
  assert_int_equal(loop.nwatchers, room);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_what_the_process_may_not_have(void **state) {
  (void)state;
  uv_loop_t loop;
  struct rlimit before, few;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(uv_loop_init(&loop), 0);
  few = before;
  few.rlim_cur = 100;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  assert_true(descriptors_reserve(&loop, SIZE_MAX)); /* up to the limit */
  assert_true(loop.nwatchers >= 100);
  assert_false(descriptors_reserve(&loop, 0));
  few.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  assert_false(descriptors_reserve(&loop, 100));
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_the_soft_limit_is_raised(void **state) {
  (void)state;
  struct rlimit before, now;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  const struct rlimit low = {.rlim_cur = 64, .rlim_max = before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  descriptors_raise_limit();
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
  assert_true(now.rlim_cur == before.rlim_max);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* What is open stays, what is closed becomes /dev/null, at its own number. */
static void test_standard_descriptors(void **state) {
  (void)state;
  const int in = dup(STDIN_FILENO), err = dup(STDERR_FILENO);
  struct stat before, now;
  char byte;
  assert_int_equal(fstat(STDOUT_FILENO, &before), 0);
  close(STDIN_FILENO);
  close(STDERR_FILENO);
  const bool filled = descriptors_fill_standard();
  const ssize_t n_read = read(STDIN_FILENO, &byte, 1), n_written = write(STDERR_FILENO, "x", 1);
  dup2(in, STDIN_FILENO);
  dup2(err, STDERR_FILENO);
  close(in);
  close(err);
  assert_true(filled);
  assert_int_equal(n_read, 0);
  assert_int_equal(n_written, 1);
  assert_int_equal(fstat(STDOUT_FILENO, &now), 0);
  assert_true(before.st_dev == now.st_dev && before.st_ino == now.st_ino);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_room_is_made),
      cmocka_unit_test(test_what_the_process_may_not_have),
      cmocka_unit_test(test_standard_descriptors),
      cmocka_unit_test(test_the_soft_limit_is_raised),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
