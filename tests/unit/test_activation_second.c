#include "core/cpu/activation_second.h"
#include "tests/unit/support_kernels.h"

#define DECLARE(bits, type, isa)                                                                   \
  void activation_f##bits##_##isa(enum activation kind, size_t n, const type *in, type *out,       \
                                  type *derivative);
EACH_COPY(DECLARE)

#if defined(__x86_64__)
#define PLAIN activation_f64_v2
#else
#define PLAIN activation_f64_base
#endif

/* Value and slope are the kernel's, the second derivative that of its slopes. */
static void test_the_kernels_derivatives(void **state) {
  (void)state;
  const double h = 1e-4;
  for (enum activation kind = ACTIVATION_IDENTITY; kind <= ACTIVATION_TANH_SQUARE; kind++)
    for (double x = -6.03; x < 6.0; x += 0.11) {
      const double in[] = {x, x - 2 * h, x - h, x + h, x + 2 * h};
      double value[5], slope[5];
      PLAIN(kind, 5, in, value, slope);
      const struct activation_jet a = activation_second(kind, x);
      const double second = (slope[1] - 8 * slope[2] + 8 * slope[3] - slope[4]) / (12 * h);
      assert_true(fabs(a.value - value[0]) <= 1e-14 * (1 + fabs(x)));
      assert_true(fabs(a.first - slope[0]) <= 1e-14 * (1 + fabs(x)));
      if (fabs(a.second - second) > 1e-9)
        fail_msg("kind %d at %g: %g is not %g", (int)kind, x, a.second, second);
    }
}

static void test_far_away_and_at_zero(void **state) {
  (void)state;
  for (enum activation kind = ACTIVATION_IDENTITY; kind <= ACTIVATION_TANH_SQUARE; kind++) {
    const double places[] = {-1e4, -800, 800, 1e4};
    for (size_t i = 0; i < 4; i++) {
      const struct activation_jet a = activation_second(kind, places[i]);
      assert_true(isfinite(a.value) && isfinite(a.first) && fabs(a.second) < 1e-9);
    }
  }
  assert_true(activation_second(ACTIVATION_ABS, 0.0).first == 0.0);
  assert_true(activation_second(ACTIVATION_SSP, 0.0).value == 0.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_kernels_derivatives),
      cmocka_unit_test(test_far_away_and_at_zero),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
