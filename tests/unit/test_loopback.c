#include "server/os/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/un.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static bool judge(const char *text) {
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
    return is_loopback((const struct sockaddr *)&v4);
  assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
  return is_loopback((const struct sockaddr *)&v6);
}

static void test_addresses(void **state) {
  (void)state;
  const char *here[] = {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"};
  const char *elsewhere[] = {"0.0.0.0", "126.0.0.1", "128.0.0.1", "10.0.0.127",
                             "::",      "::2",       "fe80::1",   "::ffff:10.0.0.1"};
  for (size_t i = 0; i < sizeof here / sizeof *here; i++)
    if (!judge(here[i]))
      fail_msg("%s", here[i]);
  for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
    if (judge(elsewhere[i]))
      fail_msg("%s", elsewhere[i]);
}

static void test_other_families(void **state) {
  (void)state;
  const struct sockaddr_un local = {.sun_family = AF_UNIX};
  assert_false(is_loopback((const struct sockaddr *)&local));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_other_families),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
