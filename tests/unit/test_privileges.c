#define _GNU_SOURCE /* mkdtemp */
#include "server/os/privileges.h"

#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_users(void **state) {
  (void)state;
  struct irrep_error error = {0};
  assert_int_equal(privileges_check("", &error), IRREP_OK);
  assert_int_equal(privileges_check(NULL, &error), IRREP_OK);
  assert_int_equal(privileges_check("no-such-user-here", &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "--user no-such-user-here"));
  assert_int_equal(privileges_check("nobody", &error),
                   geteuid() == 0 ? IRREP_OK : IRREP_BAD_ARGUMENT);
}

/* Runs in a child, which cannot go back. */
static bool drops(const char *user, const char *path) {
  struct irrep_error error = {0};
  struct stat info;
  if (privileges_drop(user, path, &error) != IRREP_OK)
    return false;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
    return false;
  if (user[0] == '\0')
    return true;
  const struct passwd *entry = getpwnam(user); /* NOLINT(concurrency-mt-unsafe) */
  return entry != NULL && getuid() == entry->pw_uid && geteuid() == entry->pw_uid &&
         getgid() == entry->pw_gid && setuid(0) != 0 && setgid(0) != 0 && stat(path, &info) == 0 &&
         info.st_uid == entry->pw_uid;
}

static bool in_a_child(const char *user, const char *path) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0)
    _exit(drops(user, path) ? 0 : 1);
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

static void test_becoming_nobody(void **state) {
  (void)state;
  char path[] = "/tmp/irrepd-privileges-XXXXXX";
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  assert_true(in_a_child("", ""));
  assert_int_equal(in_a_child("nobody", path), geteuid() == 0);
  assert_false(in_a_child("no-such-user-here", path));
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_users),
      cmocka_unit_test(test_becoming_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
