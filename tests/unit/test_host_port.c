#include "server/os/host_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void expect(const char *text, const char *wanted_host, const char *wanted_port) {
  char host[16], port[PORT_SIZE];
  assert_true(host_port_split(text, host, sizeof host, port));
  assert_string_equal(host, wanted_host);
  assert_string_equal(port, wanted_port);
}

static void test_both_forms(void **state) {
  (void)state;
  expect("127.0.0.1:8421", "127.0.0.1", "8421");
  expect("localhost:0", "localhost", "0");
  expect("[::1]:65535", "::1", "65535");
}

static void test_what_is_refused(void **state) {
  (void)state;
  const char *const bad[] = {"",
                             "localhost",
                             ":80",
                             "localhost:",
                             "localhost:http",
                             "localhost:80 ",
                             "localhost:-1",
                             "localhost:65536",
                             "localhost:123456",
                             "::1:80",
                             "[]:80",
                             "[::1:80",
                             "sixteen.letters.:80"};
  char host[16], port[PORT_SIZE];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(host_port_split(bad[i], host, sizeof host, port));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_forms),
      cmocka_unit_test(test_what_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
