#define _GNU_SOURCE /* mkstemp */
#include "server/drivers/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define MAX 8

static struct species read_good(const char *text) {
  struct species species = {0};
  struct irrep_error error = {0};
  if (template_read(text, strlen(text), MAX, &species, &error) != IRREP_OK)
    fail_msg("%s", error.detail);
  return species;
}

static void test_plain(void **state) {
  (void)state;
  struct species s = read_good("3\nwater\nO 0 0 0\nH 0.96 0 0\r\n  H\t-0.2 0.9 0");
  const int32_t water[] = {8, 1, 1};
  assert_int_equal(s.n_atoms, 3);
  assert_memory_equal(s.numbers, water, sizeof water);
  assert_false(s.has_pbc);
  species_fini(&s);
}

static void test_extended(void **state) {
  (void)state;
  struct species s = read_good(" 2 \nLattice=\"5 0 0 0 5 0 0 0 9\" Properties=species:S:1:pos:R:3 "
                               "pbc=\"T F T\"\nSi 0 0 0\n14 1 1 1\n");
  const int32_t silicon[] = {14, 14};
  assert_int_equal(s.n_atoms, 2);
  assert_memory_equal(s.numbers, silicon, sizeof silicon);
  assert_true(s.has_pbc && s.pbc[0] && !s.pbc[1] && s.pbc[2]);
  species_fini(&s);
}

static void test_refusals(void **state) {
  (void)state;
  const struct {
    const char *text, *words;
  } cases[] = {
      {"", "line 1"},
      {"0\n\n", "line 1"},
      {"-1\n\n", "line 1"},
      {"9\n\n", "line 1"},
      {"99999999999999999999999\n\n", "line 1"},
      {"C\n\n", "line 1"},
      {"1", "line 2"},
      {"1\nProperties=pos:R:3:species:S:1\n0 0 0 C\n", "line 2"},
      {"1\npbc=\"T T\"\nC 0 0 0\n", "line 2"},
      {"1\npbc=\"T T X\"\nC 0 0 0\n", "line 2"},
      {"1\npbc=\"T T", "line 2"},
      {"2\n\nC 0 0 0\n", "line 4: fewer atoms"},
      {"2\n\nC 0 0 0\nXx 0 0 0\n", "line 4: no symbol"},
      {"1\n\n119 0 0 0\n", "line 3: no symbol"},
      {"1\n\n\n", "line 3: no symbol"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct species species = {0};
    struct irrep_error error;
    assert_int_equal(template_read(cases[i].text, strlen(cases[i].text), MAX, &species, &error),
                     IRREP_BAD_ARGUMENT);
    assert_null(species.numbers);
    if (!strstr(error.detail, cases[i].words))
      fail_msg("case %zu: %s", i, error.detail);
  }
}

static void test_file(void **state) {
  (void)state;
  char path[] = "/tmp/irrepd-template-XXXXXX";
  const int file = mkstemp(path);
  assert_true(file >= 0);
  struct species species = {0};
  struct irrep_error error;
  assert_int_equal(template_read_file(path, MAX, &species, &error), IRREP_BAD_ARGUMENT);
  const char *text = "1\n\nCu 0 0 0\n";
  assert_int_equal(write(file, text, strlen(text)), strlen(text));
  close(file);
  assert_int_equal(template_read_file(path, MAX, &species, &error), IRREP_OK);
  assert_int_equal(species.numbers[0], 29);
  species_fini(&species);
  unlink(path);
  assert_int_equal(template_read_file(path, MAX, &species, &error), IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "No such file"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_extended),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
