#define _GNU_SOURCE /* mkdtemp */
#include "server/http/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void expect_refusal(const char *address, bool remote, const char *word) {
  struct listener listener;
  struct irrep_error error = {0};
  assert_int_equal(listener_open(&listener, address, remote, &error), IRREP_BAD_ARGUMENT);
  assert_int_equal(listener.fd, -1);
  if (!strstr(error.detail, word))
    fail_msg("%s: %s", address, error.detail);
}

static void test_tcp(void **state) {
  (void)state;
  struct listener listener;
  assert_int_equal(listener_open(&listener, "127.0.0.1:0", false, NULL), IRREP_OK);
  unsigned port = 0;
  assert_int_equal(sscanf(listener.url, "http://127.0.0.1:%u", &port), 1);
  assert_true(port > 0 && port < 65536);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int peer = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(peer, (const struct sockaddr *)&to, sizeof to), 0);
  close(peer);
  char address[32];
  snprintf(address, sizeof address, "127.0.0.1:%u", port);
  expect_refusal(address, false, "in use");
  assert_int_equal(listener_check(address, false, NULL), IRREP_OK);
  assert_true(listener_encrypt(&listener));
  assert_int_equal(sscanf(listener.url, "https://127.0.0.1:%u", &port), 1);
  listener_close(&listener);
  assert_int_equal(listener.fd, -1);
}

static void test_addresses(void **state) {
  (void)state;
  static const char *const malformed[] = {"",
                                          ":",
                                          "localhost",
                                          ":80",
                                          "127.0.0.1:",
                                          "127.0.0.1:x",
                                          "127.0.0.1:-1",
                                          "::1:80",
                                          "[]:80",
                                          "[::1]",
                                          "[::1:80",
                                          "127.0.0.1:65536",
                                          "127.0.0.1:123456"};
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    expect_refusal(malformed[i], true, "wanted");
    assert_int_equal(listener_check(malformed[i], true, NULL), IRREP_BAD_ARGUMENT);
  }
  expect_refusal("0.0.0.0:0", false, "--allow-remote");
  expect_refusal("[::]:0", false, "--allow-remote");
  expect_refusal("192.0.2.1:0", false, "--allow-remote");
  assert_int_equal(listener_check("0.0.0.0:80", false, NULL), IRREP_BAD_ARGUMENT);
  assert_int_equal(listener_check("0.0.0.0:80", true, NULL), IRREP_OK);
  assert_int_equal(listener_check("127.8.9.10:80", false, NULL), IRREP_OK);
  assert_int_equal(listener_check("[::1]:80", false, NULL), IRREP_OK);
  assert_int_equal(listener_check("[::ffff:127.0.0.1]:80", false, NULL), IRREP_OK);
  assert_int_equal(listener_check("[::ffff:192.0.2.1]:80", false, NULL), IRREP_BAD_ARGUMENT);
}

static void test_unix(void **state) {
  (void)state;
  char folder[] = "/tmp/irrepd-listen-XXXXXX", path[64], address[80];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/s", folder);
  snprintf(address, sizeof address, "unix:%s", path);
  struct listener listener;
  struct stat info;
  const mode_t mask = umask(022);
  assert_int_equal(listener_open(&listener, address, false, NULL), IRREP_OK);
  assert_int_equal(umask(mask), 022);
  assert_string_equal(listener.url, address);
  assert_int_equal(stat(path, &info), 0);
  assert_true(S_ISSOCK(info.st_mode) && (info.st_mode & 0777) == 0600);
  expect_refusal(address, false, "another process");
  assert_int_equal(listener_check(address, false, NULL), IRREP_OK);
  close(listener.fd); /* as after a crash: the file stays */
  assert_int_equal(listener_open(&listener, address, false, NULL), IRREP_OK);
  listener_close(&listener);
  assert_int_equal(stat(path, &info), -1);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fclose(file);
  expect_refusal(address, false, "no socket");
  assert_int_equal(stat(path, &info), 0);
  unlink(path);
  rmdir(folder);
}

/* A daemon that drains does not accept any more, and the next one may have come. */
static void test_unix_successor(void **state) {
  (void)state;
  char folder[] = "/tmp/irrepd-listen-XXXXXX", path[64], address[80];
  struct listener before, after;
  struct stat info;
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/s", folder);
  snprintf(address, sizeof address, "unix:%s", path);
  assert_int_equal(listener_open(&before, address, false, NULL), IRREP_OK);
  close(before.fd);
  before.fd = -1;
  usleep(20000); /* file systems count time in steps of some milliseconds */
  assert_int_equal(listener_open(&after, address, false, NULL), IRREP_OK);
  listener_close(&before);
  assert_int_equal(stat(path, &info), 0);
  listener_close(&after);
  assert_int_equal(stat(path, &info), -1);
  rmdir(folder);
}

static void test_unix_paths(void **state) {
  (void)state;
  char address[160] = "unix:";
  expect_refusal("unix:", false, "107");
  expect_refusal("unix:/nowhere/at/all/s", false, "No such file");
  memset(address + 5, 'a', 108);
  address[5 + 108] = '\0';
  expect_refusal(address, false, "107");
  assert_int_equal(listener_check(address, false, NULL), IRREP_BAD_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tcp),        cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_unix),       cmocka_unit_test(test_unix_successor),
      cmocka_unit_test(test_unix_paths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
