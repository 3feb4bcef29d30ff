#include "server/os/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct socket_address read_good(const char *text) {
  struct socket_address address;
  struct irrep_error error = {0};
  if (address_read(text, &address, &error) != IRREP_OK)
    fail_msg("%s", error.detail);
  assert_string_equal(address.text, text);
  return address;
}

static void test_addresses(void **state) {
  (void)state;
  struct socket_address a = read_good("unix:driver");
  assert_string_equal(a.unix_path, "/tmp/ipi_driver");
  a = read_good("unix:/run/x/driver");
  assert_string_equal(a.unix_path, "/run/x/driver");
  a = read_good("localhost:31415");
  assert_string_equal(a.host, "localhost");
  assert_string_equal(a.port, "31415");
  assert_false(a.is_numeric);
  a = read_good("127.0.0.1:1");
  assert_true(a.is_numeric);
  assert_int_equal(a.ip.ss_family, AF_INET);
  a = read_good("[::1]:65535");
  assert_string_equal(a.host, "::1");
  assert_true(a.is_numeric);
  assert_int_equal(a.ip.ss_family, AF_INET6);
}

static void test_refusals(void **state) {
  (void)state;
  char long_name[512];
  memset(long_name, 'x', sizeof long_name - 1);
  memcpy(long_name, "unix:", 5);
  long_name[sizeof long_name - 1] = '\0';
  char long_path[120];
  memcpy(long_path, long_name, sizeof long_path);
  long_path[sizeof long_path - 1] = '\0';
  const char *texts[] = {"",          "unix:",   "unix:a/b", "unix:../b",    "host",
                         ":80",       "host:",   "host:0",   "host:65536",   "host:8a",
                         "a:b:80",    "[::1]",   "[]:80",    "host:-1",      "h st:80",
                         "host:80\n", long_name, long_path,  "h\xc3\xb6:80", "host:123456"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct socket_address address;
    struct irrep_error error;
    assert_int_equal(address_read(texts[i], &address, &error), IRREP_BAD_ARGUMENT);
    assert_non_null(strstr(error.detail, "is no address"));
  }
}

static void expect_permit(const char *text, const char *allowed, bool permitted, bool loopback) {
  struct socket_address address = read_good(text);
  if (address_permit(&address, allowed) != permitted || address.loopback_only != loopback)
    fail_msg("%s with \"%s\"", text, allowed);
}

static void test_permits(void **state) {
  (void)state;
  expect_permit("unix:driver", "", true, false);
  expect_permit("unix:/run/driver", "*", false, false);
  expect_permit("127.0.0.1:80", "", true, false);
  expect_permit("127.9.9.9:80", NULL, true, false);
  expect_permit("[::1]:80", "", true, false);
  expect_permit("[::ffff:127.0.0.1]:80", "", true, false);
  expect_permit("localhost:80", "", true, true);
  expect_permit("10.0.0.1:80", "", false, false);
  expect_permit("[2001:db8::1]:80", "", false, false);
  expect_permit("cluster:80", "", false, false);
  expect_permit("localhost.evil:80", "localhost", false, false);
  expect_permit("cluster:80", "other,cluster", true, false);
  expect_permit("cluster:80", "cluster:80", true, false);
  expect_permit("cluster:80", "cluster:8,luster", false, false);
  expect_permit("cluster:80", "*", true, false);
  expect_permit("10.0.0.1:80", ",,10.0.0.1,", true, false);
  expect_permit("[2001:db8::1]:80", "[2001:db8::1]:80", true, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_permits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
