#include "server/base/origins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_valid(void **state) {
  (void)state;
  static const char *const good[] = {"",
                                     "https://lab.example",
                                     "http://127.0.0.1:8000",
                                     "http://[::1]:8000",
                                     "https://a,http://b:1,https://c-d.e_f:65535",
                                     "http://a:443"};
  static const char *const bad[] = {"*",
                                    "null",
                                    "lab.example",
                                    "https://",
                                    "https://lab.example/",
                                    "https://LAB",
                                    "ftp://a",
                                    "https://a, https://b",
                                    "https://a,",
                                    ",https://a",
                                    "https://a:",
                                    "https://a:0",
                                    "https://a:443",
                                    "http://a:80",
                                    "http://a:123456",
                                    "http://a:8x",
                                    "http://[::1",
                                    "http://[]",
                                    "http://a@b",
                                    "http://a b",
                                    "http://*.a",
                                    "https://a?b",
                                    "http://:80",
                                    "https://a,,https://b"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    if (!origins_are_valid(good[i]))
      fail_msg("\"%s\" is valid", good[i]);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (origins_are_valid(bad[i]))
      fail_msg("\"%s\" is not valid", bad[i]);
}

static void test_have(void **state) {
  (void)state;
  static const char list[] = "https://lab.example,http://127.0.0.1:8000";
  assert_true(origins_have(list, "https://lab.example"));
  assert_true(origins_have(list, "http://127.0.0.1:8000"));
  static const char *const others[] = {NULL,
                                       "",
                                       "null",
                                       "https://lab.exampl",
                                       "https://lab.example.evil",
                                       "https://lab.example:8000",
                                       "http://lab.example",
                                       "https://lab.example,http://127.0.0.1:8000",
                                       "http://127.0.0.1:800"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_false(origins_have(list, others[i]));
  assert_false(origins_have("", "https://lab.example"));
  assert_false(origins_have(NULL, "https://lab.example"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_valid),
      cmocka_unit_test(test_have),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
