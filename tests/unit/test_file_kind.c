#include "server/models/file_kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const char *words(const char *bytes, size_t n) {
  return file_kind_words((const unsigned char *)bytes, n);
}

static void test_words(void **state) {
  (void)state;
  static const char zeros[64];
  assert_non_null(strstr(words("", 0), "empty"));
  assert_non_null(strstr(words(zeros, 64), "not written to its end"));
  assert_null(words(zeros, 7));
  assert_non_null(strstr(words("PK\3\4etc", 7), "irrepd.convert"));
  assert_non_null(strstr(words("\x80\2}q", 4), "pickle"));
  assert_non_null(strstr(words("<!doctype html>", 15), "web page"));
  assert_non_null(strstr(words("version https://git-lfs.github.com/", 34), "git lfs pull"));
  assert_null(words("version ", 8));
  assert_null(words("\x80\0\0\0\0\0\0\0{\"", 10));
}

static void test_checkpoints(void **state) {
  (void)state;
  static const char *const good[] = {"a.pth", "A.PT", "best.ckpt", "m.model", "x.nequip.zip"};
  static const char *const others[] = {".pth", "a.safetensors", "pth", "a.zip", ".a.pt", ""};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_true(file_kind_is_checkpoint(good[i]));
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_false(file_kind_is_checkpoint(others[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words),
      cmocka_unit_test(test_checkpoints),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
