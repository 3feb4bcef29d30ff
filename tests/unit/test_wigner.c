#include "core/e3/wigner.h"
#include "tests/unit/e3nn_fixture.h"

#define W3J_MAX (WIGNER_DIM_MAX * WIGNER_DIM_MAX * WIGNER_DIM_MAX)

/* Calls check for every triple of degrees that couples. */
static void for_all_triples(int l_max, void (*check)(int l1, int l2, int l3)) {
  for (int l1 = 0; l1 <= l_max; l1++) {
    for (int l2 = 0; l2 <= l_max; l2++) {
      for (int l3 = abs(l1 - l2); l3 <= l_max && l3 <= l1 + l2; l3++) {
        check(l1, l2, l3);
      }
    }
  }
}

static size_t dim(int l) {
  return 2 * (size_t)l + 1;
}

static size_t index_3j(const int l[3], const int m[3]) {
  return ((size_t)(m[0] + l[0]) * dim(l[1]) + (size_t)(m[1] + l[1])) * dim(l[2]) +
         (size_t)(m[2] + l[2]);
}

static void test_3j_as_e3nn(void **state) {
  (void)state;
  static double expected[W3J_MAX], w3j[W3J_MAX];
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "wigner_3j"); n_records++) {
    int l[3], m[3];
    for (int i = 0; i < 3; i++) {
      l[i] = fixture_int(&fixture, 0, IRREP_L_MAX);
    }
    size_t size = dim(l[0]) * dim(l[1]) * dim(l[2]);
    memset(expected, 0, sizeof expected);
    for (int n = fixture_int(&fixture, 1, (int)size); n > 0; n--) {
      for (int i = 0; i < 3; i++) {
        m[i] = fixture_int(&fixture, -l[i], l[i]);
      }
      fixture_reals(&fixture, 1, &expected[index_3j(l, m)]);
    }
    assert_int_equal(wigner_3j(l[0], l[1], l[2], w3j), IRREP_OK);
    for (size_t i = 0; i < size; i++) {
      if (expected[i] == 0.0) {
        assert_true(w3j[i] == 0.0);
      }
    }
    assert_close(w3j, expected, size, 1e-15);
  }
  fixture_close(&fixture);
  assert_true(n_records >= 65 + 17);
}

static void test_3j_sign_as_e3nn(void **state) {
  (void)state;
  static double w3j[W3J_MAX];
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "wigner_3j_entry"); n_records++) {
    int l[3], m[3];
    double expected;
    for (int i = 0; i < 3; i++) {
      l[i] = fixture_int(&fixture, 0, IRREP_L_MAX);
    }
    for (int i = 0; i < 3; i++) {
      m[i] = fixture_int(&fixture, -l[i], l[i]);
    }
    fixture_reals(&fixture, 1, &expected);
    assert_true(fabs(expected) > 1e-3);
    assert_int_equal(wigner_3j(l[0], l[1], l[2], w3j), IRREP_OK);
    assert_close(&w3j[index_3j(l, m)], &expected, 1, 1e-15);
  }
  fixture_close(&fixture);
  assert_int_equal(n_records, 175); /* all that couple with l up to 6 */
}

/* sum over m1, m2 of C(m1,m2,m3) C(m1,m2,m3') = delta with C = sqrt(2*l3+1) * 3j. */
static void check_orthogonality(int l1, int l2, int l3) {
  static double w3j[W3J_MAX];
  assert_int_equal(wigner_3j(l1, l2, l3, w3j), IRREP_OK);
  size_t n = dim(l1) * dim(l2), d = dim(l3);
  for (size_t a = 0; a < d; a++) {
    for (size_t b = 0; b < d; b++) {
      double sum = 0.0, expected = a == b ? 1.0 : 0.0;
      for (size_t i = 0; i < n; i++) {
        sum += (double)d * w3j[i * d + a] * w3j[i * d + b];
      }
      assert_close(&sum, &expected, 1, 4e-15);
    }
  }
}

static void test_3j_are_orthogonal(void **state) {
  (void)state;
  for_all_triples(IRREP_L_MAX, check_orthogonality);
}

/* Swapping the first two degrees changes at most the sign, that of (-1)^(l1+l2+l3). */
static void check_exchange(int l1, int l2, int l3) {
  static double w3j[W3J_MAX], swapped[W3J_MAX];
  assert_int_equal(wigner_3j(l1, l2, l3, w3j), IRREP_OK);
  assert_int_equal(wigner_3j(l2, l1, l3, swapped), IRREP_OK);
  double sign = (l1 + l2 + l3) % 2 == 0 ? 1.0 : -1.0;
  for (size_t i = 0; i < dim(l1); i++) {
    for (size_t j = 0; j < dim(l2); j++) {
      for (size_t k = 0; k < dim(l3); k++) {
        double expected = sign * w3j[(i * dim(l2) + j) * dim(l3) + k];
        assert_close(&swapped[(j * dim(l1) + i) * dim(l3) + k], &expected, 1, 1e-15);
      }
    }
  }
}

static void test_3j_exchange(void **state) {
  (void)state;
  for_all_triples(IRREP_L_MAX, check_exchange);
}

static void test_3j_closed_forms(void **state) {
  (void)state;
  double w3j[27] = {0};
  assert_int_equal(wigner_3j(0, 0, 0, w3j), IRREP_OK);
  assert_true(w3j[0] == 1.0);

  /* (1, 1, 0) is the dot product, (1, 1, 1) the cross product. */
  assert_int_equal(wigner_3j(1, 1, 0, w3j), IRREP_OK);
  for (int i = 0; i < 9; i++) {
    assert_true(fabs(w3j[i] - (i % 4 == 0 ? sqrt(1.0 / 3.0) : 0.0)) <= 2e-16);
  }
  assert_int_equal(wigner_3j(1, 1, 1, w3j), IRREP_OK);
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 3; j++) {
      for (int k = 0; k < 3; k++) {
        double levi_civita = (double)((i - j) * (j - k) * (k - i)) / 2.0;
        assert_true(fabs(w3j[9 * i + 3 * j + k] - levi_civita / sqrt(6.0)) <= 2e-16);
      }
    }
  }
}

static void check_terms(int l1, int l2, int l3) {
  static double w3j[W3J_MAX], dense[W3J_MAX];
  static struct coupling_term terms[COUPLING_TERMS_MAX];
  size_t n_terms = 0, size = dim(l1) * dim(l2) * dim(l3);
  assert_int_equal(coupling_terms(l1, l2, l3, terms, &n_terms), IRREP_OK);
  assert_true(n_terms > 0 && n_terms <= size);
  memset(dense, 0, sizeof dense);
  size_t previous = 0;
  for (size_t t = 0; t < n_terms; t++) {
    size_t m1 = (size_t)terms[t].m1, m2 = (size_t)terms[t].m2, m3 = (size_t)terms[t].m3;
    assert_true(m1 < dim(l1) && m2 < dim(l2) && m3 < dim(l3));
    assert_true(terms[t].c != 0.0);
    size_t order = (m3 * dim(l1) + m1) * dim(l2) + m2;
    assert_true(t == 0 || order > previous);
    previous = order;
    dense[(m1 * dim(l2) + m2) * dim(l3) + m3] = terms[t].c;
  }
  assert_int_equal(wigner_3j(l1, l2, l3, w3j), IRREP_OK);
  for (size_t i = 0; i < size; i++) {
    assert_int_equal(w3j[i] == 0.0, dense[i] == 0.0);
    w3j[i] *= sqrt(2.0 * l3 + 1.0);
  }
  assert_close(dense, w3j, size, 1e-15);
}

static void test_coupling_terms(void **state) {
  (void)state;
  for_all_triples(IRREP_L_MAX, check_terms);
}

/* Rotation by an angle in degrees about an axis (Rodrigues' formula). */
static void rotation_about(double x, double y, double z, double degrees, double r[3][3]) {
  double norm = sqrt(x * x + y * y + z * z), angle = degrees * acos(-1.0) / 180.0;
  double u[3] = {x / norm, y / norm, z / norm}, c = cos(angle), s = sin(angle);
  double cross[3][3] = {{0, -u[2], u[1]}, {u[2], 0, -u[0]}, {-u[1], u[0], 0}};
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 3; j++) {
      r[i][j] = c * (i == j ? 1.0 : 0.0) + (1.0 - c) * u[i] * u[j] + s * cross[i][j];
    }
  }
}

static void test_d_as_e3nn(void **state) {
  (void)state;
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "wigner_d"); n_records++) {
    int l = fixture_int(&fixture, 0, IRREP_L_MAX);
    double rotation[3][3], expected[WIGNER_DIM_MAX * WIGNER_DIM_MAX];
    double d[WIGNER_DIM_MAX * WIGNER_DIM_MAX];
    fixture_reals(&fixture, 9, &rotation[0][0]);
    fixture_reals(&fixture, dim(l) * dim(l), expected);
    assert_int_equal(wigner_d(l, rotation, d), IRREP_OK);
    assert_close(d, expected, dim(l) * dim(l), 1e-13);
  }
  fixture_close(&fixture);
  assert_int_equal(n_records, 4 * (IRREP_L_MAX + 1));
}

static void multiply(size_t n, const double *a, const double *b, double *product) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n; j++) {
      product[i * n + j] = 0.0;
      for (size_t k = 0; k < n; k++) {
        product[i * n + j] += a[i * n + k] * b[k * n + j];
      }
    }
  }
}

static void test_d_is_a_representation(void **state) {
  (void)state;
  double r[3][3], s[3][3], rs[3][3], inverse[3][3];
  rotation_about(1, 2, -3, 77.0, r);
  rotation_about(-0.2, 0.1, 0.4, 161.0, s);
  multiply(3, &r[0][0], &s[0][0], &rs[0][0]);
  rotation_about(1, 2, -3, -77.0, inverse);
  for (int l = 0; l <= IRREP_L_MAX; l++) {
    size_t n = dim(l);
    double d_r[WIGNER_DIM_MAX * WIGNER_DIM_MAX], d_s[WIGNER_DIM_MAX * WIGNER_DIM_MAX];
    double d_rs[WIGNER_DIM_MAX * WIGNER_DIM_MAX], product[WIGNER_DIM_MAX * WIGNER_DIM_MAX];
    double d_inverse[WIGNER_DIM_MAX * WIGNER_DIM_MAX];
    assert_int_equal(wigner_d(l, r, d_r), IRREP_OK);
    assert_int_equal(wigner_d(l, s, d_s), IRREP_OK);
    assert_int_equal(wigner_d(l, rs, d_rs), IRREP_OK);
    assert_int_equal(wigner_d(l, inverse, d_inverse), IRREP_OK);
    multiply(n, d_r, d_s, product);
    assert_close(product, d_rs, n * n, 1e-14);
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j < n; j++) {
        assert_close(&d_inverse[j * n + i], &d_r[i * n + j], 1, 1e-14);
      }
    }
  }
}

/* The coupling is equivariant: C(D1 a, D2 b) = D3 C(a, b), entry by entry of C. */
static void check_equivariance(int l1, int l2, int l3) {
  static struct coupling_term terms[COUPLING_TERMS_MAX];
  double r[3][3], d1[WIGNER_DIM_MAX * WIGNER_DIM_MAX], d2[WIGNER_DIM_MAX * WIGNER_DIM_MAX];
  double d3[WIGNER_DIM_MAX * WIGNER_DIM_MAX];
  rotation_about(0.3, -1.0, 0.7, 123.0, r);
  assert_int_equal(wigner_d(l1, r, d1), IRREP_OK);
  assert_int_equal(wigner_d(l2, r, d2), IRREP_OK);
  assert_int_equal(wigner_d(l3, r, d3), IRREP_OK);
  size_t n_terms;
  assert_int_equal(coupling_terms(l1, l2, l3, terms, &n_terms), IRREP_OK);
  for (size_t a = 0; a < dim(l1); a++) {
    for (size_t b = 0; b < dim(l2); b++) {
      double rotated_first[WIGNER_DIM_MAX] = {0}, rotated_last[WIGNER_DIM_MAX] = {0};
      for (size_t t = 0; t < n_terms; t++) {
        size_t m1 = (size_t)terms[t].m1, m2 = (size_t)terms[t].m2, m3 = (size_t)terms[t].m3;
        rotated_first[m3] += terms[t].c * d1[m1 * dim(l1) + a] * d2[m2 * dim(l2) + b];
        for (size_t k = 0; m1 == a && m2 == b && k < dim(l3); k++) {
          rotated_last[k] += d3[k * dim(l3) + m3] * terms[t].c;
        }
      }
      assert_close(rotated_first, rotated_last, dim(l3), 1e-14);
    }
  }
}

static void test_coupling_is_equivariant(void **state) {
  (void)state;
  for_all_triples(IRREP_L_MAX, check_equivariance);
}

static void test_refuses_bad_degrees(void **state) {
  (void)state;
  const int bad[][3] = {
      {1, 1, 3}, {0, 1, 0}, {2, 0, 1}, {-1, 0, 1}, {0, -1, 1},           {1, 1, -1},
      {7, 7, 0}, {1, 6, 7}, {7, 1, 6}, {1, 7, 6},  {1 << 30, 1 << 30, 0}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    double untouched = 5.0;
    struct coupling_term term;
    size_t n_terms = 7;
    assert_int_equal(wigner_3j(bad[i][0], bad[i][1], bad[i][2], &untouched), IRREP_BAD_ARGUMENT);
    assert_int_equal(coupling_terms(bad[i][0], bad[i][1], bad[i][2], &term, &n_terms),
                     IRREP_BAD_ARGUMENT);
    assert_true(untouched == 5.0 && n_terms == 7);
  }
}

static void test_refuses_what_is_no_rotation(void **state) {
  (void)state;
  double d[WIGNER_DIM_MAX * WIGNER_DIM_MAX];
  const double reflection[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, -1}};
  const double inversion[3][3] = {{-1, 0, 0}, {0, -1, 0}, {0, 0, -1}};
  const double shear[3][3] = {{1, 2e-6, 0}, {0, 1, 0}, {0, 0, 1}};
  const double stretch[3][3] = {{1 + 1e-6, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  const double zero[3][3] = {{0}};
  const double not_a_number[3][3] = {{1, 0, 0}, {0, NAN, 0}, {0, 0, 1}};
  const double huge[3][3] = {{1e308, 0, 0}, {0, 1e308, 0}, {0, 0, 1e308}};
  const double close[3][3] = {{1 + 1e-7, 0, 0}, {0, 1, 1e-7}, {0, 0, 1}};
  assert_int_equal(wigner_d(1, reflection, d), IRREP_BAD_ARGUMENT);
  assert_int_equal(wigner_d(1, inversion, d), IRREP_BAD_ARGUMENT);
  assert_int_equal(wigner_d(1, shear, d), IRREP_BAD_ARGUMENT);
  assert_int_equal(wigner_d(1, stretch, d), IRREP_BAD_ARGUMENT);
  assert_int_equal(wigner_d(1, zero, d), IRREP_BAD_ARGUMENT);
  assert_int_equal(wigner_d(1, not_a_number, d), IRREP_BAD_ARGUMENT);
  assert_int_equal(wigner_d(1, huge, d), IRREP_BAD_ARGUMENT);
  assert_int_equal(wigner_d(-1, close, d), IRREP_BAD_ARGUMENT);
  assert_int_equal(wigner_d(IRREP_L_MAX + 1, close, d), IRREP_BAD_ARGUMENT);
  assert_int_equal(wigner_d(IRREP_L_MAX, close, d), IRREP_OK);
}

/* Rotations about no special axis, and what they become with an inversion. */
static void test_tells_rotations_from_reflections(void **state) {
  (void)state;
  for (int k = 0; k < 24; k++) {
    double r[3][3], inverted[3][3], d[9];
    rotation_about(1.0, 0.2 * k - 2.0, 0.7, 14.0 * k, r);
    for (size_t i = 0; i < 9; i++)
      inverted[i / 3][i % 3] = -r[i / 3][i % 3];
    assert_int_equal(wigner_d(1, (const double(*)[3])r, d), IRREP_OK);
    assert_int_equal(wigner_d(1, (const double(*)[3])inverted, d), IRREP_BAD_ARGUMENT);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_3j_as_e3nn),
      cmocka_unit_test(test_3j_sign_as_e3nn),
      cmocka_unit_test(test_3j_are_orthogonal),
      cmocka_unit_test(test_3j_exchange),
      cmocka_unit_test(test_3j_closed_forms),
      cmocka_unit_test(test_coupling_terms),
      cmocka_unit_test(test_d_as_e3nn),
      cmocka_unit_test(test_d_is_a_representation),
      cmocka_unit_test(test_coupling_is_equivariant),
      cmocka_unit_test(test_refuses_bad_degrees),
      cmocka_unit_test(test_refuses_what_is_no_rotation),
      cmocka_unit_test(test_tells_rotations_from_reflections),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
