#include "core/cpu/dispatch.h"
#include "tests/unit/support_kernels.h"

static void test_best_has_the_precision(void **state) {
  (void)state;
  const struct kernels *f32 = kernels_for(IRREP_FLOAT32, NULL);
  const struct kernels *f64 = kernels_for(IRREP_FLOAT64, NULL);
  assert_non_null(f32);
  assert_non_null(f64);
  assert_int_equal(f32->precision, IRREP_FLOAT32);
  assert_int_equal(f64->precision, IRREP_FLOAT64);
  assert_string_equal(f32->isa, f64->isa);
}

static void test_by_name(void **state) {
  (void)state;
  const char *const names[] = {"v2", "v3", "v4", "base"};
  size_t n_found = 0;
  for (size_t i = 0; i < 4; i++)
    for (int p = 0; p < 2; p++) {
      const enum irrep_precision precision = p ? IRREP_FLOAT64 : IRREP_FLOAT32;
      const struct kernels *kernels = kernels_for(precision, names[i]);
      if (!kernels)
        continue;
      n_found++;
      assert_string_equal(kernels->isa, names[i]);
      assert_int_equal(kernels->precision, precision);
    }
  assert_true(n_found >= 2);
}

#if defined(__x86_64__)
/* The best is the highest that the processor has, and none above it is given. */
static void test_ranks_by_processor(void **state) {
  (void)state;
  const bool v3 = __builtin_cpu_supports("x86-64-v3"), v4 = __builtin_cpu_supports("x86-64-v4");
  assert_string_equal(kernels_for(IRREP_FLOAT32, NULL)->isa, v4 ? "v4" : v3 ? "v3" : "v2");
  assert_int_equal(kernels_for(IRREP_FLOAT32, "v4") != NULL, v4);
  assert_int_equal(kernels_for(IRREP_FLOAT64, "v3") != NULL, v3);
  assert_non_null(kernels_for(IRREP_FLOAT64, "v2"));
}
#endif

/* The plain table is one that every processor has. */
static void test_plain(void **state) {
  (void)state;
  for (int p = 0; p < 2; p++) {
    const enum irrep_precision precision = p ? IRREP_FLOAT64 : IRREP_FLOAT32;
    const struct kernels *plain = kernels_plain(precision);
    assert_non_null(plain);
    assert_int_equal(plain->precision, precision);
    assert_ptr_equal(kernels_for(precision, plain->isa), plain);
  }
}

static void test_unknown_names(void **state) {
  (void)state;
  const char *const names[] = {"", "v1", "v22", "V2", "neon"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    assert_null(kernels_for(IRREP_FLOAT32, names[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_best_has_the_precision),
    cmocka_unit_test(test_by_name),
#if defined(__x86_64__)
    cmocka_unit_test(test_ranks_by_processor),
#endif
    cmocka_unit_test(test_plain),
    cmocka_unit_test(test_unknown_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
