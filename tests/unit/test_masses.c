#include "core/dynamics/masses.h"
#include "irrep/md.h"
#include "tests/unit/support_arrays.h"

/* Values of ase.data.atomic_masses. */
static void test_elements(void **state) {
  (void)state;
  static const struct {
    int32_t number;
    double mass;
  } rows[] = {{1, 1.008},     {2, 4.002602},  {8, 15.999},      {14, 28.085},
              {18, 39.948},   {43, 97.90721}, {79, 196.966569}, {92, 238.02891},
              {118, 294.214}, {0, 0},         {119, 0},         {-1, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_true(irrep_atomic_mass(rows[i].number) == rows[i].mass);
  for (int32_t number = 1; number <= 118; number++)
    assert_true(irrep_atomic_mass(number) >= 1);
}

static void test_given(void **state) {
  (void)state;
  const int32_t numbers[3] = {1, 200, 8};
  const double given[3] = {2.014, 5, 1e6};
  double out[3];
  struct irrep_error error;
  assert_int_equal(masses_of(3, numbers, given, out, &error), IRREP_OK);
  assert_memory_equal(out, given, sizeof out);
  assert_int_equal(masses_of(3, numbers, NULL, out, &error), IRREP_UNKNOWN_ELEMENT);
  assert_string_equal(error.field, "numbers/1");
}

static void test_refused(void **state) {
  (void)state;
  const int32_t numbers[2] = {1, 1};
  const double bad[] = {0, -1, (double)NAN, (double)INFINITY, 1.1e6};
  double out[2];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const double given[2] = {1, bad[i]};
    struct irrep_error error;
    assert_int_equal(masses_of(2, numbers, given, out, &error), IRREP_BAD_ARGUMENT);
    assert_string_equal(error.field, "masses/1");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_elements), cmocka_unit_test(test_given),
                                     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
