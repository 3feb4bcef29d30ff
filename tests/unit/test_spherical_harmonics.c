#include "core/e3/spherical_harmonics.h"
#include "core/e3/wigner.h"
#include "tests/unit/e3nn_fixture.h"

#define N_HARMONICS HARMONICS(IRREP_L_MAX)

/* General, along each axis, near the polar axis, short and long. */
static const double vectors[][3] = {
    {0.3, -1.7, 2.9},  {-1.25, 0.75, -0.1}, {1, 0, 0},         {0, 1, 0},       {0, 0, -2},
    {0, -3, 0},        {1e-9, 2, -1e-8},    {1e-3, 2e-3, 0},   {400, 300, -70}, {2.5, 0, -1.5},
    {0.6, -0.6, -0.6}, {-3.1, 0.01, 0.02},  {0.7, 1.3, -0.35},
};
#define N_VECTORS (sizeof vectors / sizeof vectors[0])

/* Coefficients that make a scalar of the harmonics, of both signs and all different. */
static void fill_grad_y(double *grad_y, size_t n) {
  for (size_t i = 0; i < n; i++) {
    grad_y[i] = sin(1.0 + 1.7 * (double)i);
  }
}

static void test_as_e3nn(void **state) {
  (void)state;
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "harmonics"); n_records++) {
    double v[3], expected[N_HARMONICS], y[N_HARMONICS];
    assert_int_equal(fixture_int(&fixture, 0, IRREP_L_MAX), IRREP_L_MAX);
    fixture_reals(&fixture, 3, v);
    fixture_reals(&fixture, N_HARMONICS, expected);
    spherical_harmonics(IRREP_L_MAX, 1, v, y);
    assert_close(y, expected, N_HARMONICS, 1e-14);
  }
  fixture_close(&fixture);
  assert_true(n_records >= 12);
}

static void test_low_degrees(void **state) {
  (void)state;
  const double v[3] = {2.0, -3.0, 6.0}; /* length 7 */
  const double x = 2.0 / 7.0, y = -3.0 / 7.0, z = 6.0 / 7.0;
  const double expected[9] = {1.0,
                              sqrt(3.0) * x,
                              sqrt(3.0) * y,
                              sqrt(3.0) * z,
                              sqrt(15.0) * x * z,
                              sqrt(15.0) * x * y,
                              sqrt(5.0) * (y * y - (x * x + z * z) / 2.0),
                              sqrt(15.0) * y * z,
                              sqrt(15.0) * (z * z - x * x) / 2.0};
  double actual[9];
  spherical_harmonics(2, 1, v, actual);
  assert_close(actual, expected, 9, 1e-15);
}

/* Addition theorem: sum over m of Y_lm(u) Y_lm(v) = (2l+1) P_l(u . v); u = v gives the norm. */
static void test_addition_theorem(void **state) {
  (void)state;
  for (size_t i = 0; i < N_VECTORS; i++) {
    for (size_t j = 0; j < N_VECTORS; j++) {
      const double *u = vectors[i], *v = vectors[j];
      double y_u[N_HARMONICS], y_v[N_HARMONICS];
      spherical_harmonics(IRREP_L_MAX, 1, u, y_u);
      spherical_harmonics(IRREP_L_MAX, 1, v, y_v);
      double uu = u[0] * u[0] + u[1] * u[1] + u[2] * u[2];
      double vv = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
      double t = (u[0] * v[0] + u[1] * v[1] + u[2] * v[2]) / sqrt(uu * vv);
      double p_below = 0.0, p = 1.0;
      for (int l = 0; l <= IRREP_L_MAX; l++) {
        double sum = 0.0, expected = (2.0 * l + 1.0) * p;
        for (int k = l * l; k < (l + 1) * (l + 1); k++) {
          sum += y_u[k] * y_v[k];
        }
        assert_close(&sum, &expected, 1, 2e-14);
        double p_next = ((2.0 * l + 1.0) * t * p - l * p_below) / (l + 1.0);
        p_below = p;
        p = p_next;
      }
    }
  }
}

static void test_rotates_by_wigner_d(void **state) {
  (void)state;
  /* A product of rotations with exact sines and cosines: no axis is special. */
  const double r[3][3] = {{0.6, -0.64, 0.48}, {0.8, 0.48, -0.36}, {0.0, 0.6, 0.8}};
  for (size_t i = 0; i < N_VECTORS; i++) {
    const double *v = vectors[i];
    double rotated[3], y[N_HARMONICS], y_rotated[N_HARMONICS];
    for (int a = 0; a < 3; a++) {
      rotated[a] = r[a][0] * v[0] + r[a][1] * v[1] + r[a][2] * v[2];
    }
    spherical_harmonics(IRREP_L_MAX, 1, v, y);
    spherical_harmonics(IRREP_L_MAX, 1, rotated, y_rotated);
    for (int l = 0; l <= IRREP_L_MAX; l++) {
      size_t n = 2 * (size_t)l + 1, base = (size_t)l * (size_t)l;
      double d[WIGNER_DIM_MAX * WIGNER_DIM_MAX], expected[WIGNER_DIM_MAX] = {0};
      assert_int_equal(wigner_d(l, r, d), IRREP_OK);
      for (size_t a = 0; a < n; a++) {
        for (size_t b = 0; b < n; b++) {
          expected[a] += d[a * n + b] * y[base + b];
        }
      }
      assert_close(y_rotated + base, expected, n, 2e-14);
    }
  }
}

/* C(Y_l1, Y_l2) is Y_l3 times a constant that does not depend on the direction. */
static void test_couples_to_harmonics(void **state) {
  (void)state;
  static struct coupling_term terms[COUPLING_TERMS_MAX];
  static double y[N_VECTORS][N_HARMONICS];
  spherical_harmonics(IRREP_L_MAX, N_VECTORS, &vectors[0][0], &y[0][0]);
  for (int l1 = 0; l1 <= 3; l1++) {
    for (int l2 = 0; l2 <= 3; l2++) {
      for (int l3 = abs(l1 - l2); l3 <= l1 + l2; l3++) {
        size_t n_terms;
        assert_int_equal(coupling_terms(l1, l2, l3, terms, &n_terms), IRREP_OK);
        double constant = 0.0;
        for (size_t i = 0; i < N_VECTORS; i++) {
          double out[WIGNER_DIM_MAX] = {0}, expected[WIGNER_DIM_MAX];
          for (size_t t = 0; t < n_terms; t++) {
            out[terms[t].m3] +=
                terms[t].c * y[i][l1 * l1 + terms[t].m1] * y[i][l2 * l2 + terms[t].m2];
          }
          double overlap = 0.0;
          for (int m = 0; m <= 2 * l3; m++) {
            overlap += out[m] * y[i][l3 * l3 + m] / (2.0 * l3 + 1.0);
          }
          constant = i == 0 ? overlap : constant;
          for (int m = 0; m <= 2 * l3; m++) {
            expected[m] = constant * y[i][l3 * l3 + m];
          }
          assert_close(out, expected, 2 * (size_t)l3 + 1, 2e-14);
        }
        assert_int_equal(fabs(constant) < 1e-14, (l1 + l2 + l3) % 2 != 0);
      }
    }
  }
}

/* Inversion multiplies by (-1)^l, in the very bits. */
static void test_parity(void **state) {
  (void)state;
  for (size_t i = 0; i < N_VECTORS; i++) {
    const double reverse[3] = {-vectors[i][0], -vectors[i][1], -vectors[i][2]};
    double y[N_HARMONICS], y_reverse[N_HARMONICS];
    spherical_harmonics(IRREP_L_MAX, 1, vectors[i], y);
    spherical_harmonics(IRREP_L_MAX, 1, reverse, y_reverse);
    for (int l = 0; l <= IRREP_L_MAX; l++) {
      for (int k = l * l; k < (l + 1) * (l + 1); k++) {
        assert_true(y_reverse[k] == (l % 2 == 0 ? y[k] : -y[k]));
      }
    }
  }
}

static void test_any_length(void **state) {
  (void)state;
  const double scales[] = {0x1p-1030, 0x1p-600, 0x1p-40, 0x1p40, 0x1p600, 0x1p1021};
  double y[N_HARMONICS], y_scaled[N_HARMONICS];
  spherical_harmonics(IRREP_L_MAX, 1, vectors[0], y);
  for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
    double v[3];
    for (int a = 0; a < 3; a++) {
      v[a] = vectors[0][a] * scales[s];
    }
    spherical_harmonics(IRREP_L_MAX, 1, v, y_scaled);
    assert_close(y_scaled, y, N_HARMONICS, s == 0 ? 1e-11 : 0.0); /* the first is subnormal */
  }
}

/* Neither l_max nor the number of vectors changes a bit, forward or backward. */
static void test_same_bits_in_any_batch(void **state) {
  (void)state;
  static double y_all[N_VECTORS][N_HARMONICS], y[N_VECTORS][N_HARMONICS];
  static double grad_y[N_VECTORS][N_HARMONICS], grad_all[N_VECTORS][3];
  spherical_harmonics(IRREP_L_MAX, N_VECTORS, &vectors[0][0], &y_all[0][0]);
  fill_grad_y(&grad_y[0][0], N_VECTORS * N_HARMONICS);
  spherical_harmonics_adjoint(IRREP_L_MAX, N_VECTORS, &vectors[0][0], &grad_y[0][0],
                              &grad_all[0][0]);
  for (int l_max = 0; l_max <= IRREP_L_MAX; l_max++) {
    for (size_t i = 0; i < N_VECTORS; i++) {
      spherical_harmonics(l_max, 1, vectors[i], y[i]);
      assert_memory_equal(y[i], y_all[i], HARMONICS(l_max) * sizeof(double));
    }
  }
  for (size_t i = 0; i < N_VECTORS; i++) {
    double grad[3] = {0.0, 0.0, 0.0};
    spherical_harmonics_adjoint(IRREP_L_MAX, 1, vectors[i], grad_y[i], grad);
    assert_memory_equal(grad, grad_all[i], sizeof grad);
  }
}

static double scalar_of(int l_max, const double v[3], const double *grad_y) {
  double y[N_HARMONICS], sum = 0.0;
  spherical_harmonics(l_max, 1, v, y);
  for (size_t k = 0; k < HARMONICS(l_max); k++) {
    sum += grad_y[k] * y[k];
  }
  return sum;
}

/* Central differences with Richardson's extrapolation. */
static double numerical_gradient(int l_max, const double v[3], const double *grad_y, int axis) {
  double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]), estimate[2];
  for (int i = 0; i < 2; i++) {
    double step = length * (i == 0 ? 0x1p-8 : 0x1p-9);
    double forward[3] = {v[0], v[1], v[2]}, backward[3] = {v[0], v[1], v[2]};
    forward[axis] += step;
    backward[axis] -= step;
    estimate[i] = (scalar_of(l_max, forward, grad_y) - scalar_of(l_max, backward, grad_y)) /
                  (forward[axis] - backward[axis]);
  }
  return (4.0 * estimate[1] - estimate[0]) / 3.0;
}

static void test_adjoint_by_finite_differences(void **state) {
  (void)state;
  double grad_y[N_HARMONICS];
  fill_grad_y(grad_y, N_HARMONICS);
  for (int l_max = 0; l_max <= IRREP_L_MAX; l_max++) {
    for (size_t i = 0; i < N_VECTORS; i++) {
      const double *v = vectors[i];
      double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]), grad[3] = {0.0, 0.0, 0.0};
      spherical_harmonics_adjoint(l_max, 1, v, grad_y, grad);
      for (int axis = 0; axis < 3; axis++) {
        double expected = length * numerical_gradient(l_max, v, grad_y, axis);
        double actual = length * grad[axis];
        assert_close(&actual, &expected, 1, 1e-8);
      }
    }
  }
}

static void test_adjoint_of_each_harmonic(void **state) {
  (void)state;
  for (size_t k = 0; k < N_HARMONICS; k++) {
    double grad_y[N_HARMONICS] = {0};
    grad_y[k] = 1.0;
    for (size_t i = 0; i < 2; i++) {
      double grad[3] = {0.0, 0.0, 0.0};
      spherical_harmonics_adjoint(IRREP_L_MAX, 1, vectors[i], grad_y, grad);
      for (int axis = 0; axis < 3; axis++) {
        double expected = numerical_gradient(IRREP_L_MAX, vectors[i], grad_y, axis);
        assert_close(&grad[axis], &expected, 1, 1e-8);
      }
    }
  }
}

/* sum over k of grad Y_k . grad Y_k = l (l+1) (2l+1) / r^2, exact for every degree. */
static void test_adjoint_norm(void **state) {
  (void)state;
  for (size_t i = 0; i < N_VECTORS; i++) {
    const double *v = vectors[i];
    double r2 = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
    for (int l = 0; l <= IRREP_L_MAX; l++) {
      double sum = 0.0, expected = l * (l + 1.0) * (2.0 * l + 1.0);
      for (int k = l * l; k < (l + 1) * (l + 1); k++) {
        double grad_y[N_HARMONICS] = {0}, grad[3] = {0.0, 0.0, 0.0};
        grad_y[k] = 1.0;
        spherical_harmonics_adjoint(IRREP_L_MAX, 1, v, grad_y, grad);
        double radial = (grad[0] * v[0] + grad[1] * v[1] + grad[2] * v[2]), none = 0.0;
        assert_close(&radial, &none, 1, 2e-14); /* harmonics do not depend on the length */
        sum += r2 * (grad[0] * grad[0] + grad[1] * grad[1] + grad[2] * grad[2]);
      }
      assert_close(&sum, &expected, 1, 2e-14);
    }
  }
}

static void test_adjoint_adds(void **state) {
  (void)state;
  double grad_y[N_HARMONICS], grad[3] = {0.0, 0.0, 0.0}, added[3] = {1.0, -2.0, 4.0};
  fill_grad_y(grad_y, N_HARMONICS);
  spherical_harmonics_adjoint(IRREP_L_MAX, 1, vectors[0], grad_y, grad);
  spherical_harmonics_adjoint(IRREP_L_MAX, 1, vectors[0], grad_y, added);
  const double expected[3] = {1.0 + grad[0], -2.0 + grad[1], 4.0 + grad[2]};
  assert_close(added, expected, 3, 0.0);
}

static void test_no_vectors(void **state) {
  (void)state;
  double untouched = 3.0;
  spherical_harmonics(IRREP_L_MAX, 0, NULL, &untouched);
  spherical_harmonics_adjoint(IRREP_L_MAX, 0, NULL, NULL, &untouched);
  assert_true(untouched == 3.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_e3nn),
      cmocka_unit_test(test_low_degrees),
      cmocka_unit_test(test_addition_theorem),
      cmocka_unit_test(test_rotates_by_wigner_d),
      cmocka_unit_test(test_couples_to_harmonics),
      cmocka_unit_test(test_parity),
      cmocka_unit_test(test_any_length),
      cmocka_unit_test(test_same_bits_in_any_batch),
      cmocka_unit_test(test_adjoint_by_finite_differences),
      cmocka_unit_test(test_adjoint_of_each_harmonic),
      cmocka_unit_test(test_adjoint_norm),
      cmocka_unit_test(test_adjoint_adds),
      cmocka_unit_test(test_no_vectors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
