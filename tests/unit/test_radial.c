#include "core/nn/radial.h"
#include "tests/unit/support_arrays.h"
#include "tests/unit/support_radial.h"

static const double pi = 3.14159265358979323846;

/* The formulas of irrep/model_format.h and of HOOMD-blue's manual, word for word. */
static double cutoff_formula(const struct radial *radial, double r) {
  const double u = r / radial->r_max, p = radial->p;
  if (r >= radial->r_max)
    return 0.0;
  switch (radial->cutoff) {
  case CUTOFF_POLYNOMIAL:
    return 1.0 - (p + 1) * (p + 2) / 2 * pow(u, p) + p * (p + 2) * pow(u, p + 1) -
           p * (p + 1) / 2 * pow(u, p + 2);
  case CUTOFF_XPLOR:
    if (r < radial->r_on)
      return 1.0;
    return pow(pow(radial->r_max, 2) - r * r, 2) *
           (pow(radial->r_max, 2) + 2 * r * r - 3 * pow(radial->r_on, 2)) /
           pow(pow(radial->r_max, 2) - pow(radial->r_on, 2), 3);
  case CUTOFF_COSINE:
    return 0.5 * (1.0 + cos(pi * u));
  case CUTOFF_MOLLIFIER:
    return exp(1.0 - 1.0 / (1.0 - u * u));
  case CUTOFF_NONE:
    return 1.0;
  }
  return NAN;
}

static double transform_formula(const struct radial *radial, double r) {
  switch (radial->transform) {
  case TRANSFORM_NONE:
    return r;
  case TRANSFORM_AGNESI: {
    const double x = r / radial->r0[0], p = radial->transform_p;
    return 1 / (1 + radial->a * pow(x, radial->q) / (1 + pow(x, radial->q - p)));
  }
  case TRANSFORM_SOFT: {
    const double p0 = 0.75 * radial->r0[0], p1 = 4 * radial->r0[0] / 3;
    return p0 + (r - p0) * (1 + tanh(radial->alpha * (r - (p0 + p1) / 2) / (p1 - p0))) / 2;
  }
  }
  return NAN;
}

static double basis_formula(const struct radial *radial, size_t k, double distance) {
  const double r = transform_formula(radial, distance);
  switch (radial->basis) {
  case RADIAL_CHEBYSHEV:
    return r <= 1.0 ? cos((double)(k + 1) * acos(r)) : cosh((double)(k + 1) * acosh(r));
  case RADIAL_BESSEL:
    return radial->prefactor * sin(radial->frequencies[k] * r) / r;
  case RADIAL_GAUSSIAN:
    return exp(radial->coefficients[k] * pow(r - radial->centers[k], 2));
  case RADIAL_SPLINE: {
    /* As nequip-allegro 0.8.3 has it: x is clamped to the support. */
    const double n = (double)radial->n_basis, width = ((double)radial->span + 1.0) / n;
    const double lower = ((double)k - (double)radial->span) / n;
    const double x = fmax(lower, fmin(lower + width, r / radial->r_max)) - lower;
    return 0.25 * pow(1.0 - cos(2.0 * pi * x / width), 2);
  }
  }
  return NAN;
}

static double cutoff_at(const struct radial *radial, double r) {
  double value, derivative;
  radial_cutoff(radial, r, &value, &derivative);
  return value;
}

/* Distances inside the cutoff, none nearer to r_on or r_max than the steps of the differences. */
#define N_DISTANCES 40
static double distance(const struct radial *radial, size_t i) {
  return radial->r_max * ((double)i + 0.75) / N_DISTANCES;
}

/* The formulas cancel from terms of size p^2 near r_max. */
static void test_cutoff_values(void **state) {
  (void)state;
  for (size_t k = 0; k < N_RADIALS; k++)
    for (size_t i = 0; i < N_DISTANCES + 10; i++) {
      const double r = distance(&radials[k], i), expected = cutoff_formula(&radials[k], r);
      const double value = cutoff_at(&radials[k], r);
      assert_all_close(&value, &expected, 1, 1e-14, 1e-14);
    }
}

/* From five points h apart, h = 3e-4 r_max: h^4 / 30 is 3e-16 r_max^4 and meets fifth derivatives
 * below a million. */
static void test_cutoff_derivatives(void **state) {
  (void)state;
  for (size_t k = 0; k < N_RADIALS; k++) {
    const double h = 3e-4 * radials[k].r_max;
    for (size_t i = 0; i < N_DISTANCES; i++) {
      const double r = distance(&radials[k], i);
      double value, derivative;
      radial_cutoff(&radials[k], r, &value, &derivative);
      const double f[] = {cutoff_at(&radials[k], r - 2 * h), cutoff_at(&radials[k], r - h),
                          cutoff_at(&radials[k], r + h), cutoff_at(&radials[k], r + 2 * h)};
      const double expected = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
      assert_all_close(&derivative, &expected, 1, 1e-8, 1e-8);
    }
  }
}

static void test_ends_of_the_cutoff(void **state) {
  (void)state;
  for (size_t k = 0; k < N_RADIALS; k++) {
    const struct radial *radial = &radials[k];
    const double beyond[] = {radial->r_max, 1.0001 * radial->r_max, 1e6, INFINITY};
    double value, derivative;
    for (size_t i = 0; i < 4; i++) {
      radial_cutoff(radial, beyond[i], &value, &derivative);
      assert_true(value == 0.0 && derivative == 0.0);
    }
    if (radial->cutoff == CUTOFF_NONE)
      continue;
    /* Value and slope meet zero at r_max, and one and zero at r = 0. */
    radial_cutoff(radial, radial->r_max * (1 - 1e-9), &value, &derivative);
    assert_true(fabs(value) < 1e-12 && fabs(derivative) < 1e-6);
    radial_cutoff(radial, 1e-9, &value, &derivative);
    assert_true(fabs(value - 1.0) < 1e-12 && fabs(derivative) < 1e-6);
  }
}

static void test_xplor_is_smooth_at_r_on(void **state) {
  (void)state;
  const struct radial *radial = &radials[2];
  double value[2], derivative[2];
  radial_cutoff(radial, radial->r_on * (1 - 1e-12), &value[0], &derivative[0]);
  radial_cutoff(radial, radial->r_on * (1 + 1e-12), &value[1], &derivative[1]);
  assert_true(value[0] == 1.0 && derivative[0] == 0.0);
  assert_true(fabs(value[1] - 1.0) < 1e-12 && fabs(derivative[1]) < 1e-9);
}

static void test_embedding_values(void **state) {
  (void)state;
  for (size_t k = 0; k < N_RADIALS; k++)
    for (size_t i = 0; i < N_DISTANCES + 4; i++) {
      const struct radial *radial = &radials[k];
      const double r = distance(radial, i), f = cutoff_formula(radial, r);
      double value[RADIAL_WIDTH_MAX], derivative[RADIAL_WIDTH_MAX], expected[RADIAL_WIDTH_MAX];
      for (size_t j = 0; j < radial->n_basis; j++)
        expected[j] = basis_formula(radial, j, r) * (radial->envelope ? 1.0 : f);
      expected[radial->n_basis] = radial->envelope ? f : 1.0;
      radial_embedding(radial, 0, r, value, derivative);
      assert_all_close(value, expected, RADIAL_WIDTH(radial), 1e-13, 2e-13);
    }
}

static void test_embedding_derivatives(void **state) {
  (void)state;
  for (size_t k = 0; k < N_RADIALS; k++)
    for (size_t i = 0; i < N_DISTANCES + 4; i++) {
      const double r = distance(&radials[k], i), h = 3e-4 * radials[k].r_max;
      double f[4][RADIAL_WIDTH_MAX], unused[RADIAL_WIDTH_MAX];
      double derivative[RADIAL_WIDTH_MAX], expected[RADIAL_WIDTH_MAX];
      for (int j = 0; j < 4; j++)
        radial_embedding(&radials[k], 0, r + (j < 2 ? j - 2 : j - 1) * h, f[j], unused);
      for (size_t j = 0; j < RADIAL_WIDTH(&radials[k]); j++)
        expected[j] = (f[0][j] - 8 * f[1][j] + 8 * f[2][j] - f[3][j]) / (12 * h);
      radial_embedding(&radials[k], 0, r, unused, derivative);
      assert_all_close(derivative, expected, RADIAL_WIDTH(&radials[k]), 1e-8, 1e-8);
    }
}

/* Each pair of species has its own transform, and it is the only thing that the pair changes. */
static void test_pairs(void **state) {
  (void)state;
  const double r0[] = {1.0, 1.5, 1.5, 2.0};
  struct radial many = radials[N_RADIALS - 1], one = many;
  many.n_species = 2;
  many.r0 = r0;
  for (size_t pair = 0; pair < 4; pair++) {
    double value[2][RADIAL_WIDTH_MAX], derivative[2][RADIAL_WIDTH_MAX];
    one.r0 = &r0[pair];
    radial_embedding(&many, pair, 1.7, value[0], derivative[0]);
    radial_embedding(&one, 0, 1.7, value[1], derivative[1]);
    assert_memory_equal(value[0], value[1], RADIAL_WIDTH(&one) * sizeof(double));
    assert_memory_equal(derivative[0], derivative[1], RADIAL_WIDTH(&one) * sizeof(double));
  }
}

/* Nothing of an edge at r_max or beyond reaches the atoms. */
static void test_embedding_vanishes_beyond(void **state) {
  (void)state;
  for (size_t k = 0; k < N_RADIALS; k++)
    for (int beyond = 0; beyond < 2; beyond++) {
      const struct radial *radial = &radials[k];
      const size_t n = radial->n_basis;
      double value[RADIAL_WIDTH_MAX], derivative[RADIAL_WIDTH_MAX];
      radial_embedding(radial, 0, radial->r_max + beyond, value, derivative);
      for (size_t j = 0; j < n; j++)
        assert_true(value[j] * value[n] == 0.0 &&
                    derivative[j] * value[n] + value[j] * derivative[n] == 0.0);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cutoff_values),
      cmocka_unit_test(test_cutoff_derivatives),
      cmocka_unit_test(test_ends_of_the_cutoff),
      cmocka_unit_test(test_xplor_is_smooth_at_r_on),
      cmocka_unit_test(test_embedding_values),
      cmocka_unit_test(test_embedding_derivatives),
      cmocka_unit_test(test_embedding_vanishes_beyond),
      cmocka_unit_test(test_pairs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
