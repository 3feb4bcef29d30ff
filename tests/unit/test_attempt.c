#include "server/os/attempt.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static int touched;

static bool succeed(void) {
  touched = 1;
  return true;
}

static bool refuse(void) {
  return false;
}

static bool illegal_instruction(void) {
  return raise(SIGILL) == 0;
}

static bool leave(void) {
  _exit(0);
}

static bool never_end(void) {
  while (pause() < 0)
    continue;
  return true;
}

static void test_what_a_check_may_do(void **state) {
  (void)state;
  assert_true(attempt(succeed, 10));
  assert_int_equal(touched, 0);
  assert_false(attempt(refuse, 10));
  assert_false(attempt(illegal_instruction, 10));
  assert_false(attempt(leave, 10));
  assert_false(attempt(never_end, 1));
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  assert_int_equal(errno, ECHILD);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_a_check_may_do)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
