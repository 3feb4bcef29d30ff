#include "server/http/coding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_names(void **state) {
  (void)state;
  static const struct {
    const char *value;
    enum http_coding coding;
  } cases[] = {
      {NULL, CODING_IDENTITY},
      {"identity", CODING_IDENTITY},
      {"gzip", CODING_GZIP},
      {" GZip\t", CODING_GZIP},
      {"x-gzip", CODING_GZIP},
      {"zstd", CODING_ZSTD},
      {"", CODING_UNKNOWN},
      {"br", CODING_UNKNOWN},
      {"deflate", CODING_UNKNOWN},
      {"gzip, zstd", CODING_UNKNOWN},
      {"gzip,gzip", CODING_UNKNOWN},
      {"gzi", CODING_UNKNOWN},
      {"gzip;level=1", CODING_UNKNOWN},
      {"*", CODING_UNKNOWN},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(http_coding_of(cases[i].value), cases[i].coding);
  assert_string_equal(http_coding_name(CODING_IDENTITY), "identity");
  assert_string_equal(http_coding_name(CODING_GZIP), "gzip");
  assert_string_equal(http_coding_name(CODING_ZSTD), "zstd");
}

static void test_choice(void **state) {
  (void)state;
  static const struct {
    const char *value;
    enum http_coding preferred;
    bool identity;
  } cases[] = {
      {NULL, CODING_IDENTITY, true},
      {"", CODING_IDENTITY, true},
      {"identity", CODING_IDENTITY, true},
      {"br, deflate", CODING_IDENTITY, true},
      {"gzip", CODING_GZIP, true},
      {"x-gzip", CODING_GZIP, true},
      {"gzip, deflate, br, zstd", CODING_ZSTD, true},
      {"GZIP;Q=0.9,ZSTD;q=0.8", CODING_GZIP, true},
      {"gzip;q=1.000, zstd;q=0.999", CODING_GZIP, true},
      {"gzip;q=0", CODING_IDENTITY, true},
      {"gzip;q=0.000, *;q=0.1", CODING_ZSTD, true},
      {"*", CODING_ZSTD, true},
      {"*;q=0", CODING_IDENTITY, false},
      {"*;q=0, identity", CODING_IDENTITY, true},
      {"*;q=0, gzip;q=0.1", CODING_GZIP, false},
      {"identity;q=0", CODING_IDENTITY, false},
      {"identity;q=0, br", CODING_IDENTITY, false},
      {"identity;q=0, gzip", CODING_GZIP, false},
      {"identity ; q=0 , zstd ; q=0.5", CODING_ZSTD, false},
      {"identity, gzip;q=0.5", CODING_IDENTITY, true},
      {"identity;q=0.5, gzip;q=0.5", CODING_GZIP, true},
      {"identity;q=0.5, gzip;q=0.6", CODING_GZIP, true},
      {"gzip;q=2", CODING_IDENTITY, true},
      {"gzip;q=much", CODING_IDENTITY, true},
      {"gzip;level=9", CODING_IDENTITY, true},
      {"gzip;q=0.5x", CODING_IDENTITY, true},
      {",, ;q=1 ,gzip,", CODING_GZIP, true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct http_codings found = http_codings_of(cases[i].value);
    if (found.preferred != cases[i].preferred || found.identity != cases[i].identity)
      fail_msg("%s: %s, %d", cases[i].value, http_coding_name(found.preferred), found.identity);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_choice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
