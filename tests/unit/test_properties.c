#include "server/codec/properties.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void test_sets(void **state) {
  (void)state;
  const struct irrep_output *output;
  uint32_t all = 0;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    all |= output->bit;
  assert_int_equal(properties_all(), all);
  assert_int_equal(properties_default(), PROPERTY(ENERGY) | PROPERTY(FORCES) | PROPERTY(STRESS));
  assert_int_equal(properties_by_atom() & (PROPERTY(ENERGY) | PROPERTY(STRESS)), 0);
  assert_int_equal(properties_by_atom() & (PROPERTY(ENERGIES) | PROPERTY(FORCES)),
                   PROPERTY(ENERGIES) | PROPERTY(FORCES));
}

static void test_find(void **state) {
  (void)state;
  assert_int_equal(property_find("stress,energy", 6), PROPERTY(STRESS));
  assert_int_equal(property_find("energies", 8), PROPERTY(ENERGIES));
  assert_int_equal(property_find("energ", 5), 0);
  assert_int_equal(property_find("", 0), 0);
}

static void test_list(void **state) {
  (void)state;
  char text[PROPERTIES_TEXT_MAX];
  const char *listed = properties_list(text, ": one is due");
  assert_ptr_equal(listed, text);
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++)
    assert_non_null(strstr(listed, output->name));
  const size_t length = strlen(listed);
  assert_true(length > 12);
  assert_string_equal(listed + length - 12, ": one is due");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sets),
      cmocka_unit_test(test_find),
      cmocka_unit_test(test_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
