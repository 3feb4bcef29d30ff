#include "server/drivers/parameters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define MAX 100

static struct parameters read_good(const char *text, size_t size) {
  struct parameters p = {0};
  struct irrep_error error = {0};
  if (parameters_read(text, size, MAX, &p, &error) != IRREP_OK)
    fail_msg("%s", error.detail);
  return p;
}

/* As i-PI writes it. */
static void test_all(void **state) {
  (void)state;
  const char *text = " model : mace-small , pbc : TTF , species : Cu32 , precision : float64 , "
                     "weather : fine , , batch_size:4";
  struct parameters p = read_good(text, strlen(text));
  assert_true(p.given);
  assert_string_equal(p.model, "mace-small");
  assert_int_equal(p.species.n_atoms, 32);
  assert_int_equal(p.species.numbers[31], 29);
  assert_true(p.species.has_pbc && p.species.pbc[0] && !p.species.pbc[2]);
  assert_true(p.has_precision && p.precision == IRREP_FLOAT64);
  assert_int_equal(p.batch_size, 4);
  parameters_fini(&p);
}

static void test_nothing(void **state) {
  (void)state;
  const char *texts[] = {"", " ", " , ", "\0"};
  const size_t sizes[] = {0, 1, 3, 1};
  for (size_t i = 0; i < 4; i++) {
    struct parameters p = read_good(texts[i], sizes[i]);
    assert_false(p.given);
    assert_string_equal(p.model, "");
    assert_int_equal(p.species.n_atoms, 0);
    assert_false(p.has_precision || p.species.has_pbc);
    assert_int_equal(p.batch_size, 1);
    parameters_fini(&p);
  }
}

static void test_species_twice(void **state) {
  (void)state;
  const char *text = "species:C2,species:C3";
  struct parameters p = read_good(text, strlen(text));
  assert_int_equal(p.species.n_atoms, 3);
  parameters_fini(&p);
}

static void test_refusals(void **state) {
  (void)state;
  const struct {
    const char *text, *words;
  } cases[] = {
      {"species : Cu2000", "1 to 100 atoms"},
      {"species : ", "no formula"},
      {"species : C4, pbc : T T F", "pbc takes"},
      {"pbc:", "pbc takes"},
      {"model:", "model takes"},
      {"model:12345678901234567890123456789012345678901234567890123456789012345", "model takes"},
      {"precision : float16", "precision takes"},
      {"batch_size:0", "batch_size takes"},
      {"batch_size:-4", "batch_size takes"},
      {"batch_size:1000000", "batch_size takes"},
      {"batch_size:", "batch_size takes"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct parameters p = {0};
    struct irrep_error error;
    assert_int_not_equal(parameters_read(cases[i].text, strlen(cases[i].text), MAX, &p, &error),
                         IRREP_OK);
    assert_null(p.species.numbers);
    if (!strstr(error.detail, cases[i].words))
      fail_msg("case %zu: %s", i, error.detail);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all),
      cmocka_unit_test(test_nothing),
      cmocka_unit_test(test_species_twice),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
