#include "tests/unit/support_kernels.h"

#define DECLARE(bits, type, isa)                                                                   \
  void activation_f##bits##_##isa(enum activation kind, size_t n, const type *in, type *out,       \
                                  type *derivative);
EACH_COPY(DECLARE)

static void activation(const struct kernels *kernels, enum activation kind, size_t n,
                       const void *in, void *out, void *derivative) {
#define CALL(bits, type, isa)                                                                      \
  if (is_copy(kernels, bits, #isa)) {                                                              \
    activation_f##bits##_##isa(kind, n, in, out, derivative);                                      \
    return;                                                                                        \
  }
  EACH_COPY(CALL)
#undef CALL
  fail_msg("no activation for %s", kernels->isa);
}

static const enum activation kinds[] = {
    ACTIVATION_IDENTITY, ACTIVATION_SILU,       ACTIVATION_TANH, ACTIVATION_SSP,
    ACTIVATION_SIGMOID,  ACTIVATION_ABS,        ACTIVATION_GELU, ACTIVATION_MISH,
    ACTIVATION_SOFTPLUS, ACTIVATION_TANH_SQUARE};
#define N_KINDS (sizeof kinds / sizeof *kinds)

/* The textbook formulas, in long double. */
static long double value_of(enum activation kind, long double x) {
  switch (kind) {
  case ACTIVATION_IDENTITY:
    return x;
  case ACTIVATION_SILU:
    return x / (1.0L + expl(-x));
  case ACTIVATION_TANH:
    return tanhl(x);
  case ACTIVATION_SSP:
    return logl(1.0L + expl(x)) - logl(2.0L);
  case ACTIVATION_SIGMOID:
    return 1.0L / (1.0L + expl(-x));
  case ACTIVATION_ABS:
    return fabsl(x);
  case ACTIVATION_GELU:
    return x * erfcl(-x / sqrtl(2.0L)) / 2.0L;
  case ACTIVATION_MISH:
    return x * tanhl(log1pl(expl(x)));
  case ACTIVATION_SOFTPLUS:
    return log1pl(expl(x));
  case ACTIVATION_TANH_SQUARE:
    return tanhl(x * x);
  }
  return NAN;
}

static double slope_of(enum activation kind, double x) {
  const long double h = 2e-4L, at = x;
  return (double)((8.0L * (value_of(kind, at + h) - value_of(kind, at - h)) -
                   (value_of(kind, at + 2 * h) - value_of(kind, at - 2 * h))) /
                  (12.0L * h));
}

/* Arguments that no step of the finite differences carries across the kink of abs. */
enum { n_points = 203 };

static struct reals points(const struct kernels *kernels) {
  struct reals x = reals_zero(kernels, n_points);
  for (size_t i = 0; i < n_points; i++)
    x.exact[i] = 0.21 * ((double)i - 101.0) + 0.1;
  kernels->from_double(n_points, x.exact, x.data);
  reals_read(&x);
  return x;
}

/* A handful of operations, each rounding a number of the size of the argument or of 1. */
static void check_values(const struct kernels *kernels) {
  struct reals x = points(kernels), y = reals_zero(kernels, n_points);
  for (size_t k = 0; k < N_KINDS; k++) {
    double expected[n_points], size[n_points];
    for (size_t i = 0; i < n_points; i++) {
      expected[i] = (double)value_of(kinds[k], x.exact[i]);
      size[i] = 1.0 + fabs(expected[i]);
    }
    activation(kernels, kinds[k], n_points, x.data, y.data, NULL);
    reals_read(&y);
    assert_within(y.exact, expected, size, n_points, 4 * epsilon_of(kernels));
  }
  reals_free(&x);
  reals_free(&y);
}

static void test_values(void **state) {
  (void)state;
  for_each_table(check_values);
}

/* The finite differences are good to 1e-12; the derivatives of silu multiply three roundings by the
 * argument. */
static void check_derivatives(const struct kernels *kernels) {
  struct reals x = points(kernels), y = reals_zero(kernels, n_points),
               dy = reals_zero(kernels, n_points);
  for (size_t k = 0; k < N_KINDS; k++) {
    double expected[n_points], size[n_points];
    for (size_t i = 0; i < n_points; i++) {
      expected[i] = slope_of(kinds[k], x.exact[i]);
      size[i] = 1.0 + fabs(x.exact[i]);
    }
    activation(kernels, kinds[k], n_points, x.data, y.data, dy.data);
    reals_read(&dy);
    assert_within(dy.exact, expected, size, n_points, 4 * epsilon_of(kernels) + 1e-12);
  }
  reals_free(&x);
  reals_free(&y);
  reals_free(&dy);
}

static void test_derivatives(void **state) {
  (void)state;
  for_each_table(check_derivatives);
}

static void check_in_place(const struct kernels *kernels) {
  for (size_t k = 0; k < N_KINDS; k++) {
    struct reals x = points(kernels), y = reals_zero(kernels, n_points);
    struct reals dy = reals_zero(kernels, n_points), other = reals_zero(kernels, n_points);
    activation(kernels, kinds[k], n_points, x.data, y.data, dy.data);
    activation(kernels, kinds[k], n_points, x.data, x.data, other.data);
    assert_same_bits(&x, 0, &y, 0, n_points);
    assert_same_bits(&dy, 0, &other, 0, n_points);
    reals_free(&x);
    reals_free(&y);
    reals_free(&dy);
    reals_free(&other);
  }
}

static void test_in_place(void **state) {
  (void)state;
  for_each_table(check_in_place);
}

/* The limits far out, without overflow on the way, and zero: {argument, activation, derivative}. */
static void check_limits(const struct kernels *kernels) {
  static const double far = 1e30, log2 = 0.69314718055994531;
  const struct {
    double x, y[N_KINDS], dy[N_KINDS];
  } cases[] = {
      {far, {far, far, 1, far, 1, far, far, far, far, 1}, {1, 1, 0, 1, 0, 1, 1, 1, 1, 0}},
      {-far, {-far, 0, -1, -log2, 0, far, 0, 0, 0, 1}, {1, 0, 0, 0, 0, -1, 0, 0, 0, 0}},
      {100, {100, 100, 1, 100 - log2, 1, 100, 100, 100, 100, 1}, {1, 1, 0, 1, 0, 1, 1, 1, 1, 0}},
      {-800, {-800, 0, -1, -log2, 0, 800, 0, 0, 0, 1}, {1, 0, 0, 0, 0, -1, 0, 0, 0, 0}},
      {0, {0, 0, 0, 0, 0.5, 0, 0, 0, log2, 0}, {1, 0.5, 1, 0.5, 0.25, 0, 0.5, 0.6, 0.5, 0}},
      {-0.0, {0, 0, 0, 0, 0.5, 0, 0, 0, log2, 0}, {1, 0.5, 1, 0.5, 0.25, 0, 0.5, 0.6, 0.5, 0}},
  };
  struct reals y = reals_zero(kernels, 1), dy = reals_zero(kernels, 1);
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
    for (size_t k = 0; k < N_KINDS; k++) {
      struct reals x = reals_of(kernels, 1, &cases[c].x);
      const double tolerance = epsilon_of(kernels);
      activation(kernels, kinds[k], 1, x.data, y.data, dy.data);
      reals_read(&y);
      reals_read(&dy);
      assert_all_close(y.exact, &cases[c].y[k], 1, tolerance, tolerance);
      assert_all_close(dy.exact, &cases[c].dy[k], 1, tolerance, tolerance);
      reals_free(&x);
    }
  reals_free(&y);
  reals_free(&dy);
}

static void test_limits(void **state) {
  (void)state;
  for_each_table(check_limits);
}

static void check_nan(const struct kernels *kernels) {
  const double nan = NAN;
  struct reals x = reals_of(kernels, 1, &nan), y = reals_zero(kernels, 1);
  for (size_t k = 0; k < N_KINDS; k++) {
    activation(kernels, kinds[k], 1, x.data, y.data, NULL);
    reals_read(&y);
    assert_true(isnan(y.exact[0]));
  }
  reals_free(&x);
  reals_free(&y);
}

static void test_nan_passes_through(void **state) {
  (void)state;
  for_each_table(check_nan);
}

/* Where an activation passes through zero it keeps the digits of its argument. */
static void check_small(const struct kernels *kernels) {
  static const enum activation through_zero[] = {ACTIVATION_SSP, ACTIVATION_TANH, ACTIVATION_SILU};
  for (size_t k = 0; k < 3; k++)
    for (double x = 1e-6; x < 0.5; x *= 3.7)
      for (int sign = -1; sign <= 1; sign += 2) {
        const double argument = sign * x;
        struct reals in = reals_of(kernels, 1, &argument), y = reals_zero(kernels, 1);
        activation(kernels, through_zero[k], 1, in.data, y.data, NULL);
        reals_read(&y);
        /* log1p and expm1 for the difference from log 2 */
        const long double exact = through_zero[k] == ACTIVATION_SSP
                                      ? log1pl(expm1l(in.exact[0]) / 2)
                                      : value_of(through_zero[k], in.exact[0]);
        const double expected = (double)exact;
        assert_all_close(y.exact, &expected, 1, 0.0, 4 * epsilon_of(kernels));
        reals_free(&in);
        reals_free(&y);
      }
}

static void test_digits_near_zero(void **state) {
  (void)state;
  for_each_table(check_small);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_derivatives),
      cmocka_unit_test(test_in_place),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_nan_passes_through),
      cmocka_unit_test(test_digits_near_zero),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
