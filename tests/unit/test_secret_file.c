#define _GNU_SOURCE /* mkdtemp */
#include "server/os/secret_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void expect(const char *path, mode_t mode, mode_t forbidden, bool good) {
  struct irrep_error error = {0};
  FILE *file = NULL;
  assert_int_equal(chmod(path, mode), 0);
  const enum irrep_status status = secret_file_open("tls-key", path, forbidden, &file, &error);
  if ((status == IRREP_OK) != good)
    fail_msg("mode %o, forbidden %o: %s", (unsigned)mode, (unsigned)forbidden, error.detail);
  if (status == IRREP_OK)
    fclose(file);
  else
    assert_non_null(strstr(error.detail, "--tls-key "));
}

static void test_modes(void **state) {
  (void)state;
  char path[] = "/tmp/irrepd-secret-XXXXXX";
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  expect(path, 0600, SECRET_FROM_READERS, true);
  expect(path, 0640, SECRET_FROM_READERS, true);
  expect(path, 0644, SECRET_FROM_READERS, false);
  expect(path, 0660, SECRET_FROM_READERS, false);
  expect(path, 0601, SECRET_FROM_READERS, false);
  expect(path, 0644, SECRET_FROM_WRITERS, true);
  expect(path, 0664, SECRET_FROM_WRITERS, false);
  expect(path, 0646, SECRET_FROM_WRITERS, false);
  unlink(path);
}

static void test_what_is_no_file(void **state) {
  (void)state;
  struct irrep_error error = {0};
  FILE *file = NULL;
  assert_int_equal(secret_file_open("keys", "/tmp", SECRET_FROM_WRITERS, &file, &error),
                   IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "regular file"));
  assert_int_equal(secret_file_open("keys", "/tmp/irrepd/none", SECRET_FROM_WRITERS, &file, &error),
                   IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "No such file"));
}

/* Nobody writes to it: it is not waited for. */
static void test_fifo(void **state) {
  (void)state;
  char folder[] = "/tmp/irrepd-secret-XXXXXX", path[64];
  struct irrep_error error = {0};
  FILE *file = NULL;
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/keys", folder);
  assert_int_equal(mkfifo(path, 0600), 0);
  alarm(20);
  assert_int_equal(secret_file_open("keys", path, SECRET_FROM_WRITERS, &file, &error),
                   IRREP_BAD_ARGUMENT);
  alarm(0);
  assert_non_null(strstr(error.detail, "regular file"));
  unlink(path);
  rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_modes),
      cmocka_unit_test(test_what_is_no_file),
      cmocka_unit_test(test_fifo),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
