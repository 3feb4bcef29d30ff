#include "irrep/conventions.h"
#include "irrep/e3.h"
#include "tests/unit/e3nn_fixture.h"

#define REALS_MAX 4096

struct numbers {
  double x[REALS_MAX], y[REALS_MAX], out[REALS_MAX], expected[REALS_MAX];
};

static void test_simplify_and_dim_as_e3nn(void **state) {
  (void)state;
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "irreps"); n_records++) {
    char text[256], simplified[256], found[256];
    size_t dim;
    fixture_text(&fixture, sizeof text, text);
    fixture_text(&fixture, sizeof simplified, simplified);
    fixture_text(&fixture, sizeof simplified, simplified);
    assert_int_equal(irrep_irreps_simplify(text, found, sizeof found, NULL), IRREP_OK);
    assert_string_equal(found, simplified);
    assert_int_equal(irrep_irreps_dim(text, &dim, NULL), IRREP_OK);
    assert_int_equal(dim, fixture_int(&fixture, 0, 1 << 20));
  }
  assert_true(n_records > 10);
  fixture_close(&fixture);
}

static void test_rotate_as_e3nn(void **state) {
  (void)state;
  static struct numbers n;
  struct fixture fixture = fixture_open();
  int n_records = 0, n_improper = 0;
  for (; fixture_next(&fixture, "rotate"); n_records++) {
    char text[256];
    double matrix[3][3];
    size_t dim;
    fixture_text(&fixture, sizeof text, text);
    fixture_reals(&fixture, 9, matrix[0]);
    assert_int_equal(irrep_irreps_dim(text, &dim, NULL), IRREP_OK);
    assert_true(2 * dim <= REALS_MAX);
    fixture_reals(&fixture, dim, n.x);
    fixture_reals(&fixture, dim, n.expected);
    for (size_t i = 0; i < dim; i++) { /* a second row, of twice the first */
      n.x[dim + i] = 2.0 * n.x[i];
      n.expected[dim + i] = 2.0 * n.expected[i];
    }
    assert_int_equal(irrep_rotate(text, matrix[0], 2, n.x, n.out, NULL), IRREP_OK);
    assert_close(n.out, n.expected, 2 * dim, 1e-12);
    const double determinant =
        matrix[0][0] * (matrix[1][1] * matrix[2][2] - matrix[1][2] * matrix[2][1]) -
        matrix[0][1] * (matrix[1][0] * matrix[2][2] - matrix[1][2] * matrix[2][0]) +
        matrix[0][2] * (matrix[1][0] * matrix[2][1] - matrix[1][1] * matrix[2][0]);
    n_improper += determinant < 0.0;
  }
  assert_true(n_records > 8 && n_improper >= 4 && n_improper < n_records);
  fixture_close(&fixture);
}

static void test_tensor_product_as_e3nn(void **state) {
  (void)state;
  static struct numbers n;
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "tensor_product"); n_records++) {
    char a[64], b[64], expected[256], found[256];
    size_t dim_a, dim_b, dim;
    fixture_text(&fixture, sizeof a, a);
    fixture_text(&fixture, sizeof b, b);
    fixture_text(&fixture, sizeof expected, expected);
    assert_int_equal(irrep_irreps_product(a, b, found, sizeof found, NULL), IRREP_OK);
    assert_string_equal(found, expected);
    assert_int_equal(irrep_irreps_dim(a, &dim_a, NULL), IRREP_OK);
    assert_int_equal(irrep_irreps_dim(b, &dim_b, NULL), IRREP_OK);
    assert_int_equal(irrep_irreps_dim(found, &dim, NULL), IRREP_OK);
    assert_true(2 * dim <= REALS_MAX);
    fixture_reals(&fixture, dim_a, n.x);
    fixture_reals(&fixture, dim_b, n.y);
    fixture_reals(&fixture, dim, n.expected);
    for (size_t i = 0; i < dim_a; i++)
      n.x[dim_a + i] = -n.x[i];
    memcpy(n.y + dim_b, n.y, dim_b * sizeof *n.y);
    for (size_t i = 0; i < dim; i++)
      n.expected[dim + i] = -n.expected[i];
    assert_int_equal(irrep_tensor_product(a, b, 2, n.x, n.y, n.out, NULL), IRREP_OK);
    assert_close(n.out, n.expected, 2 * dim, 1e-12);
  }
  assert_true(n_records >= 7);
  fixture_close(&fixture);
}

static void test_product_of_irreps_as_e3nn(void **state) {
  (void)state;
  struct fixture fixture = fixture_open();
  int n_records = 0;
  for (; fixture_next(&fixture, "product"); n_records++) {
    char a[16], b[16], expected[256], sorted[256], found[256];
    fixture_text(&fixture, sizeof a, a);
    fixture_text(&fixture, sizeof b, b);
    fixture_text(&fixture, sizeof expected, expected);
    assert_int_equal(irrep_irreps_simplify(expected, sorted, sizeof sorted, NULL), IRREP_OK);
    assert_int_equal(irrep_irreps_product(a, b, found, sizeof found, NULL), IRREP_OK);
    assert_string_equal(found, sorted);
  }
  assert_int_equal(n_records, 36);
  fixture_close(&fixture);
}

/* Of two vectors: the scalar product, the cross product (a pseudovector), and the rest. */
static void test_vectors_make_a_pseudovector(void **state) {
  (void)state;
  char text[64];
  const double x[3] = {1.0, 0.0, 0.0}, y[3] = {0.0, 1.0, 0.0};
  double out[9];
  assert_int_equal(irrep_irreps_product("1o", "1o", text, sizeof text, NULL), IRREP_OK);
  assert_string_equal(text, "1x0e+1x1e+1x2e");
  assert_int_equal(irrep_tensor_product("1o", "1o", 1, x, y, out, NULL), IRREP_OK);
  const double along_z[3] = {0.0, 0.0, sqrt(0.5)}, none = 0.0;
  assert_close(&out[0], &none, 1, 1e-15);
  assert_close(&out[1], along_z, 3, 1e-15);
}

/* Turning the factors turns the product, also by an inversion. */
static void test_products_are_equivariant(void **state) {
  (void)state;
  static const char *const a = "2x0o+1e+2o", *const b = "1o+2x2e";
  static struct numbers n, turned;
  const double matrix[3][3] = {{0.0, 0.0, -1.0}, {-0.6, 0.8, 0.0}, {0.8, 0.6, 0.0}};
  char text[256];
  size_t dim;
  for (size_t i = 0; i < 13; i++) {
    n.x[i] = sin(1.0 + (double)i);
    n.y[i] = cos(2.0 * (double)i);
  }
  assert_int_equal(irrep_rotate(a, matrix[0], 1, n.x, turned.x, NULL), IRREP_OK);
  assert_int_equal(irrep_rotate(b, matrix[0], 1, n.y, turned.y, NULL), IRREP_OK);
  assert_int_equal(irrep_irreps_product(a, b, text, sizeof text, NULL), IRREP_OK);
  assert_int_equal(irrep_irreps_dim(text, &dim, NULL), IRREP_OK);
  assert_int_equal(irrep_tensor_product(a, b, 1, n.x, n.y, n.out, NULL), IRREP_OK);
  assert_int_equal(irrep_tensor_product(a, b, 1, turned.x, turned.y, turned.out, NULL), IRREP_OK);
  assert_int_equal(irrep_rotate(text, matrix[0], 1, n.out, n.expected, NULL), IRREP_OK);
  assert_close(turned.out, n.expected, dim, 1e-13);
}

/* The tables themselves are compared with e3nn in test_wigner.c and test_spherical_harmonics.c. */
static void test_tables_are_public(void **state) {
  (void)state;
  const double quarter[3][3] = {{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}; /* x to y */
  const double vector[3] = {0.0, 0.0, 2.0}, scalar = 1.0, third = -sqrt(1.0 / 3.0);
  double y[4], d[9], w3j[9];
  assert_int_equal(irrep_spherical_harmonics(1, 1, vector, y, NULL), IRREP_OK);
  const double expected[4] = {1.0, 0.0, 0.0, sqrt(3.0)};
  assert_close(y, expected, 4, 1e-15);
  const double lengths[] = {5e-324, 1e-200, 1e300};
  for (size_t i = 0; i < 3; i++) {
    const double along[3] = {0.0, 0.0, lengths[i]};
    assert_int_equal(irrep_spherical_harmonics(1, 1, along, y, NULL), IRREP_OK);
    assert_close(y, expected, 4, 1e-15);
  }
  assert_int_equal(irrep_wigner_d(1, quarter[0], d, NULL), IRREP_OK);
  assert_close(d, quarter[0], 9, 1e-15);
  assert_int_equal(irrep_wigner_3j(0, 0, 0, w3j, NULL), IRREP_OK);
  assert_close(w3j, &scalar, 1, 1e-15);
  assert_int_equal(irrep_wigner_3j(1, 1, 0, w3j, NULL), IRREP_OK);
  assert_close(&(double){fabs(w3j[0])}, &(double){-third}, 1, 1e-15);
}

/* A rotation about no special axis, with an inversion: vectors turn around, pseudovectors do not.
 */
static void test_rotation_with_inversion(void **state) {
  (void)state;
  const double turn[3][3] = {{0.6, -0.64, 0.48}, {0.8, 0.48, -0.36}, {0.0, 0.6, 0.8}};
  const double x[6] = {1.0, -2.0, 0.5, 1.0, -2.0, 0.5};
  for (size_t k = 0; k < 6; k++) {
    const double sign = k < 3 ? 1.0 : -1.0;
    double matrix[3][3], out[6], expected[6] = {0};
    for (size_t i = 0; i < 3; i++) {
      for (size_t j = 0; j < 3; j++) {
        matrix[i][j] = sign * turn[i][(j + k) % 3];
        expected[i] += turn[i][(j + k) % 3] * x[j];
      }
      expected[3 + i] = sign * expected[i];
    }
    assert_int_equal(irrep_rotate("1e+1o", matrix[0], 1, x, out, NULL), IRREP_OK);
    assert_close(out, expected, 6, 1e-14);
  }
}

static void assert_refused(enum irrep_status status, const struct irrep_error *error,
                           const char *detail) {
  assert_int_equal(status, IRREP_BAD_ARGUMENT);
  assert_int_equal(error->status, IRREP_BAD_ARGUMENT);
  if (!strstr(error->detail, detail))
    fail_msg("\"%s\" does not say \"%s\"", error->detail, detail);
}

static void test_bad_arguments(void **state) {
  (void)state;
  struct irrep_error error;
  char text[8];
  size_t dim;
  const double stretch[3][3] = {{2, 0, 0}, {0, 1, 0}, {0, 0, 1}}, x[8] = {0}, zero[3] = {0};
  double out[64];
  assert_refused(irrep_irreps_dim("7", &dim, &error), &error, "");
  assert_refused(irrep_irreps_simplify("1x0e+1x1o", text, sizeof text, &error), &error,
                 "longer than 8 bytes");
  assert_refused(irrep_irreps_product("4e", "3e", text, sizeof text, &error), &error, "degree 7");
  assert_refused(irrep_irreps_product("1000x0e", "100x0e", text, sizeof text, &error), &error,
                 "channels");
  assert_refused(irrep_irreps_product("0e", "4q", text, sizeof text, &error), &error, "");
  assert_refused(irrep_tensor_product("4e", "3e", 1, x, x, out, &error), &error, "degree 7");
  assert_refused(irrep_rotate("1o", stretch[0], 1, x, out, &error), &error, "orthogonal");
  assert_refused(irrep_rotate("", stretch[0], 1, x, out, &error), &error, "orthogonal");
  assert_refused(irrep_wigner_d(IRREP_L_MAX + 1, stretch[0], out, &error), &error, "degree");
  assert_refused(irrep_wigner_3j(1, 1, 3, out, &error), &error, "triangle");
  assert_refused(irrep_spherical_harmonics(-1, 1, x, out, &error), &error, "degree -1");
  assert_refused(irrep_spherical_harmonics(1, 1, zero, out, &error), &error, "vector 0");
  assert_int_equal(irrep_spherical_harmonics(1, 1, zero, out, NULL), IRREP_BAD_ARGUMENT);
  const double bad[] = {(double)NAN, (double)INFINITY};
  for (size_t i = 0; i < 2; i++)
    assert_refused(irrep_spherical_harmonics(1, 1, (const double[3]){1.0, bad[i]}, out, &error),
                   &error, "vector 0");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_simplify_and_dim_as_e3nn),
      cmocka_unit_test(test_rotate_as_e3nn),
      cmocka_unit_test(test_tensor_product_as_e3nn),
      cmocka_unit_test(test_product_of_irreps_as_e3nn),
      cmocka_unit_test(test_vectors_make_a_pseudovector),
      cmocka_unit_test(test_products_are_equivariant),
      cmocka_unit_test(test_tables_are_public),
      cmocka_unit_test(test_rotation_with_inversion),
      cmocka_unit_test(test_bad_arguments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
