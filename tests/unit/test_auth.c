#define _GNU_SOURCE /* mkstemp */
#include "server/http/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* SHA-256 of "abc" (FIPS 180-2, B.1) and of "test". */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define TEST_KEY "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static enum irrep_status load(const char *text, size_t size, struct auth **auth,
                              struct irrep_error *error) {
  char path[] = "/tmp/irrepd-keys-XXXXXX";
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, size), (ssize_t)size);
  close(fd);
  memset(error, 0, sizeof *error);
  const enum irrep_status status = auth_load(path, auth, error);
  unlink(path);
  return status;
}

static void test_keys_are_found(void **state) {
  (void)state;
  static const char text[] = "# keys\n\n  \t\r\nlab predict " ABC "\r\n"
                             "\toperator.1  admin,predict\t" TEST_KEY;
  struct auth *auth = NULL;
  struct irrep_error error;
  assert_int_equal(load(text, strlen(text), &auth, &error), IRREP_OK);
  assert_int_equal(auth->n_keys, 2);
  const struct auth_key *key = auth_find(auth, "Bearer abc");
  assert_non_null(key);
  assert_string_equal(key->name, "lab");
  assert_int_equal(key->scopes, SCOPE_PREDICT);
  key = auth_find(auth, "bearer   test");
  assert_non_null(key);
  assert_string_equal(key->name, "operator.1");
  assert_int_equal(key->scopes, SCOPE_PREDICT | SCOPE_ADMIN);
  auth_free(auth);
}

static void test_what_is_no_key(void **state) {
  (void)state;
  static const char text[] = "lab predict " ABC "\n";
  static const char *const wrong[] = {"",
                                      "Bearer",
                                      "Bearer ",
                                      "abc",
                                      "Basic abc",
                                      "Bearerabc",
                                      "Bearer abd",
                                      "Bearer ab",
                                      "Bearer abcd",
                                      "Bearer ABC",
                                      "Bearer a bc",
                                      "Bearer abc ",
                                      "Bearer abc,",
                                      "Bearer " ABC,
                                      "Bearer\tabc",
                                      " Bearer abc",
                                      "Bearer abc\x01"};
  struct auth *auth = NULL;
  struct irrep_error error;
  assert_int_equal(load(text, strlen(text), &auth, &error), IRREP_OK);
  assert_null(auth_find(auth, NULL));
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    if (auth_find(auth, wrong[i]) != NULL)
      fail_msg("\"%s\" is taken for a key", wrong[i]);
  char longest[600] = "Bearer ";
  memset(longest + 7, 'a', 513);
  assert_null(auth_find(auth, longest));
  auth_free(auth);
}

static void test_wrong_files(void **state) {
  (void)state;
  static const struct {
    const char *text, *words;
  } rows[] = {
      {"", "no key"},
      {"# nothing\n", "no key"},
      {"lab " ABC "\n", "line 1: a name, scopes and"},
      {"# x\nlab predict " ABC " x\n", "line 2: a name, scopes and"},
      {"la/b predict " ABC "\n", "line 1: a name has"},
      {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa predict " ABC "\n",
       "line 1: a name has"},
      {"lab all " ABC "\n", "scopes are"},
      {"lab predict, " ABC "\n", "scopes are"},
      {"lab predict,predict " ABC "\n", "scopes are"},
      {"lab predict " ABC "0\n", "64 hexadecimal"},
      {"lab predict g" TEST_KEY "\n", "64 hexadecimal"},
      {"lab predict zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n",
       "64 hexadecimal"},
      {"lab predict " ABC "\nlab admin " TEST_KEY "\n", "line 2: the name or the key"},
      {"lab predict " ABC "\nlab2 admin " ABC "\n", "line 2: the name or the key"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct auth *auth = NULL;
    struct irrep_error error;
    const enum irrep_status status = load(rows[i].text, strlen(rows[i].text), &auth, &error);
    if (status != IRREP_BAD_ARGUMENT || auth != NULL || !strstr(error.detail, rows[i].words))
      fail_msg("%s: %s", rows[i].text, error.detail);
    assert_null(strstr(error.detail, "ba7816")); /* no hash is told */
  }
  char line[700];
  struct auth *auth = NULL;
  struct irrep_error error;
  memset(line, 'a', sizeof line);
  assert_int_equal(load(line, sizeof line, &auth, &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "too long"));
  assert_int_equal(load("a\0b\n", 4, &auth, &error), IRREP_BAD_ARGUMENT);
  assert_int_equal(auth_load("/nonexistent/keys", &auth, &error), IRREP_BAD_ARGUMENT);
  assert_int_equal(auth_load("/tmp", &auth, &error), IRREP_BAD_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keys_are_found),
      cmocka_unit_test(test_what_is_no_key),
      cmocka_unit_test(test_wrong_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
