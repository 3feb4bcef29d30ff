#include "irrep/dispersion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const struct irrep_functional *find(enum irrep_damping damping, const char *name) {
  return irrep_functional_find(damping, name, strlen(name));
}

static void test_table(void **state) {
  (void)state;
  const struct irrep_functional *f, *before = NULL;
  size_t n = 0;
  for (; (f = irrep_functional_at(n)); before = f, n++) {
    assert_non_null(f->doi);
    struct irrep_dispersion_options options = IRREP_DISPERSION_OPTIONS_INIT;
    options.damping = f->damping;
    options.parameters = f->parameters;
    assert_int_equal(irrep_dispersion_check(&options, NULL), IRREP_OK);
    assert_ptr_equal(find(f->damping, f->name), f);
    if (before) {
      const int order = strcmp(before->name, f->name);
      assert_true(order < 0 || (order == 0 && before->damping < f->damping));
    }
  }
  assert_true(n > 200);
  assert_null(irrep_functional_at(SIZE_MAX));
}

static void test_names(void **state) {
  (void)state;
  const struct irrep_functional *pbe = find(IRREP_D3BJ, "pbe");
  const struct irrep_dispersion_options init = IRREP_DISPERSION_OPTIONS_INIT;
  assert_non_null(pbe);
  assert_memory_equal(&pbe->parameters, &init.parameters, sizeof init.parameters);
  assert_string_equal(pbe->doi, "10.1002/jcc.21759");
  assert_ptr_equal(find(IRREP_D3BJ, "PBE"), pbe);
  assert_ptr_equal(irrep_functional_find(IRREP_D3BJ, "pbesol", 3), pbe);
  assert_ptr_equal(find(IRREP_D3BJ, "B3-LYP"), find(IRREP_D3BJ, "b3lyp"));
  assert_null(find(IRREP_D3ZERO, "r2scan"));
  assert_null(find(IRREP_D3BJ, ""));
  assert_null(find(IRREP_D3BJ, "pb"));
  assert_null(irrep_functional_find(IRREP_D3BJ, "pbe\0", 4));
  char far_too_long[200];
  memset(far_too_long, 'a', sizeof far_too_long);
  assert_null(irrep_functional_find(IRREP_D3BJ, far_too_long, sizeof far_too_long));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_names)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
