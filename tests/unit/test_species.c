#include "server/drivers/species.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define MAX 100

static void expect(const char *formula, const int32_t *numbers, size_t n) {
  struct species species = {0};
  assert_int_equal(species_of_formula(formula, strlen(formula), MAX, &species, NULL), IRREP_OK);
  assert_int_equal(species.n_atoms, n);
  assert_memory_equal(species.numbers, numbers, n * sizeof *numbers);
  species_fini(&species);
}

#define EXPECT(formula, ...)                                                                       \
  do {                                                                                             \
    const int32_t numbers[] = {__VA_ARGS__};                                                       \
    expect(formula, numbers, sizeof numbers / sizeof *numbers);                                    \
  } while (0)

static void test_formulas(void **state) {
  (void)state;
  EXPECT("Cu", 29);
  EXPECT("Cu3", 29, 29, 29);
  EXPECT("OHH", 8, 1, 1);
  EXPECT("H2OH2O", 1, 1, 8, 1, 1, 8);
  EXPECT("(OH2)2", 8, 1, 1, 8, 1, 1);
  EXPECT("Si((OH2)2C)2", 14, 8, 1, 1, 8, 1, 1, 6, 8, 1, 1, 8, 1, 1, 6);
  EXPECT(" Na Cl ", 11, 17);
  EXPECT("(C)", 6);
}

static void expect_refusal(const char *formula, enum irrep_status status, const char *words) {
  struct species species = {0};
  struct irrep_error error;
  assert_int_equal(species_of_formula(formula, strlen(formula), MAX, &species, &error), status);
  assert_null(species.numbers);
  assert_int_equal(species.n_atoms, 0);
  if (!strstr(error.detail, words))
    fail_msg("%s", error.detail);
}

static void test_refusals(void **state) {
  (void)state;
  const char *strange[] = {"",
                           " ",
                           "cu",
                           "Xx",
                           "C2)",
                           "(C2",
                           "()",
                           "C-1",
                           "2C",
                           "C2.5",
                           ")",
                           "[C]",
                           "((((((((((C))))))))))",
                           "C\n",
                           "C()2"};
  for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
    expect_refusal(strange[i], IRREP_BAD_ARGUMENT, "no formula like Cu32");
  expect_refusal("C2$", IRREP_BAD_ARGUMENT, "at byte 2");
  const char *large[] = {
      "C101", "C0", "(C2)0", "C60C41", "(C11)10", "C99999999999999999999999", "(((C9)9)9)9"};
  for (size_t i = 0; i < sizeof large / sizeof *large; i++)
    expect_refusal(large[i], IRREP_TOO_LARGE, "1 to 100 atoms");
}

/* The bytes behind the length are not looked at. */
static void test_length(void **state) {
  (void)state;
  struct species species = {0};
  assert_int_equal(species_of_formula("Cu32", 3, MAX, &species, NULL), IRREP_OK);
  assert_int_equal(species.n_atoms, 3);
  species_fini(&species);
}

static void test_add_and_share(void **state) {
  (void)state;
  struct species a = {0}, b = {0};
  assert_true(species_add(&a, 14, 3, 4));
  assert_false(species_add(&a, 14, 2, 4));
  assert_true(species_add(&a, 8, 1, 4));
  a.has_pbc = a.pbc[1] = true;
  species_share(&b, &a);
  assert_int_equal(b.n_atoms, 4);
  assert_ptr_equal(b.numbers, a.numbers);
  assert_true(b.has_pbc && !b.pbc[0] && b.pbc[1] && !b.pbc[2]);
  species_fini(&a);
  assert_int_equal(b.numbers[3], 8); /* b has them alone now */
  species_share(&b, &a);
  assert_int_equal(b.n_atoms, 0);
  assert_null(b.numbers);
  species_fini(&b);
}

/* Whoever changes what is shared gets numbers of its own. */
static void test_changes_are_not_shared(void **state) {
  (void)state;
  const int32_t same[] = {14, 14, 14}, other[] = {14, 8, 14};
  struct species a = {0}, b = {0};
  assert_true(species_add(&a, 14, 3, 100));
  species_share(&b, &a);
  assert_true(species_renumber(&b, same));
  assert_ptr_equal(b.numbers, a.numbers);
  assert_true(species_renumber(&b, other));
  assert_memory_equal(b.numbers, other, sizeof other);
  assert_memory_equal(a.numbers, same, sizeof same);
  species_share(&b, &a);
  assert_true(species_add(&b, 1, 50, 100));
  assert_int_equal(b.n_atoms, 53);
  assert_int_equal(b.numbers[2], 14);
  assert_int_equal(b.numbers[52], 1);
  assert_int_equal(a.n_atoms, 3);
  assert_memory_equal(a.numbers, same, sizeof same);
  species_share(&b, &a);
  b.n_atoms = 0; /* as a driver that has another number of atoms begins anew */
  assert_true(species_add(&b, 1, 2, 100));
  assert_int_equal(b.numbers[1], 1);
  assert_memory_equal(a.numbers, same, sizeof same);
  assert_true(species_renumber(&a, other)); /* alone again: in place */
  assert_memory_equal(a.numbers, other, sizeof other);
  species_fini(&a);
  species_fini(&b);
}

static void test_pbc(void **state) {
  (void)state;
  const struct {
    const char *text;
    bool good, pbc[3];
  } cases[] = {
      {"T", true, {true, true, true}},
      {"F", true, {false, false, false}},
      {"TTF", true, {true, true, false}},
      {"True", true, {true, true, true}},
      {"False", true, {false, false, false}},
      {"", false, {false}},
      {"TT", false, {false}},
      {"true", false, {false}},
      {"TTFF", false, {false}},
      {"1", false, {false}},
      {"TxT", false, {false}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool pbc[3] = {false};
    assert_int_equal(species_pbc(cases[i].text, strlen(cases[i].text), pbc), cases[i].good);
    if (cases[i].good)
      assert_memory_equal(pbc, cases[i].pbc, sizeof pbc);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_formulas),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_length),
      cmocka_unit_test(test_add_and_share),
      cmocka_unit_test(test_changes_are_not_shared),
      cmocka_unit_test(test_pbc),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
