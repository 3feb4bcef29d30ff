#include "core/dynamics/elementary.h"
#include "tests/unit/support_arrays.h"

/* Two units in the last place, relative. */
#define ULPS (2 * 0x1p-52)
#define PI 3.14159265358979323846264338327950288L

static void close_to(double actual, long double expected, const char *what, double x) {
  if (!(fabsl(actual - expected) <= ULPS * fabsl(expected)))
    fail_msg("%s(%.17g) is %.17g, expected %.20Lg", what, x, actual, expected);
}

static void test_exp_and_log(void **state) {
  (void)state;
  struct rng rng = {1};
  for (size_t i = 0; i < 20000; i++) {
    const double x = 700 * rng_next(&rng), near = 1 + 0.4 * rng_next(&rng);
    close_to(elementary_exp(x), expl(x), "exp", x);
    close_to(elementary_log(exp(x)), logl(exp(x)), "log", exp(x));
    close_to(elementary_log(near), logl(near), "log", near);
    close_to(elementary_cbrt(exp(x / 3)), cbrtl(exp(x / 3)), "cbrt", exp(x / 3));
  }
}

static void test_limits(void **state) {
  (void)state;
  assert_true(elementary_exp(0) == 1 && elementary_log(1) == 0 && elementary_cbrt(1) == 1);
  assert_true(elementary_exp(800) == (double)INFINITY && elementary_exp(-800) == 0);
  assert_true(elementary_exp(-740) > 0 && elementary_exp(-740) < 1e-320);
  assert_true(elementary_log(0) == -(double)INFINITY && isnan(elementary_log(-1)));
  assert_true(elementary_log((double)INFINITY) == (double)INFINITY);
  assert_true(isnan(elementary_exp((double)NAN)) && isnan(elementary_log((double)NAN)));
  close_to(elementary_log(0x1p-1074), logl(0x1p-1074L), "log", 0x1p-1074);
}

static void test_exprel(void **state) {
  (void)state;
  struct rng rng = {2};
  assert_true(elementary_exprel(0) == 1);
  for (size_t i = 0; i < 20000; i++) {
    const double x = 3 * rng_next(&rng), small = 1e-8 * x;
    const long double exact = expm1l(x) / x;
    if (!(fabsl(elementary_exprel(x) - exact) <= 2 * ULPS * exact))
      fail_msg("exprel(%.17g) is %.17g", x, elementary_exprel(x));
    close_to(elementary_exprel(small), expm1l(small) / small, "exprel", small);
  }
}

static void test_sincos(void **state) {
  (void)state;
  struct rng rng = {3};
  double sine, cosine;
  for (size_t i = 0; i < 20000; i++) {
    const double u = 0.5 + 0.5 * rng_next(&rng);
    elementary_sincos(u, &sine, &cosine);
    assert_true(fabsl(sine - sinl(2 * PI * u)) <= ULPS);
    assert_true(fabsl(cosine - cosl(2 * PI * u)) <= ULPS);
  }
  elementary_sincos(0, &sine, &cosine);
  assert_true(sine == 0 && cosine == 1);
  elementary_sincos(0.75, &sine, &cosine);
  assert_true(sine == -1 && cosine == 0);
}

/* The bits do not depend on the processor: these were seen on one. */
static void test_bits(void **state) {
  (void)state;
  double sine, cosine;
  elementary_sincos(0.3, &sine, &cosine);
  assert_true(elementary_exp(1.5) == 0x1.1ed3fe64fc541p+2);
  assert_true(elementary_log(3.0) == 0x1.193ea7aad030ap+0);
  assert_true(sine == 0x1.e6f0e134455p-1 && cosine == -0x1.3c6ef372fe94ep-2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_exp_and_log),
                                     cmocka_unit_test(test_limits), cmocka_unit_test(test_exprel),
                                     cmocka_unit_test(test_sincos), cmocka_unit_test(test_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
