#include "core/dynamics/matrix3.h"
#include "tests/unit/support_arrays.h"

static void assert_close(const double a[3][3], const double b[3][3], double tolerance) {
  assert_all_close(&a[0][0], &b[0][0], 9, tolerance, tolerance);
}

static void random_matrix(struct rng *rng, double size, double out[3][3]) {
  rng_fill(rng, 9, &out[0][0]);
  for (size_t i = 0; i < 9; i++)
    (&out[0][0])[i] *= size;
}

static void test_inverse_and_determinant(void **state) {
  (void)state;
  struct rng rng = {1};
  const matrix3 singular = {{1, 2, 3}, {2, 4, 6}, {0, 1, 1}};
  matrix3 one, out;
  matrix3_identity(one);
  for (int i = 0; i < 20; i++) {
    matrix3 a, inverse, transposed;
    random_matrix(&rng, 1, a);
    assert_true(matrix3_inverse(a, inverse));
    matrix3_multiply(a, inverse, out);
    assert_close(out, one, 1e-12);
    matrix3_transpose(a, transposed);
    assert_true(fabs(matrix3_determinant(a) - matrix3_determinant(transposed)) < 1e-15);
    assert_true(fabs(matrix3_determinant(a) * matrix3_determinant(inverse) - 1) < 1e-12);
  }
  assert_false(matrix3_inverse(singular, out));
  out[1][1] = (double)NAN;
  assert_false(matrix3_inverse(out, one));
}

/* A turn about z by an angle, and a diagonal. */
static void test_exp_in_closed_form(void **state) {
  (void)state;
  for (int i = -40; i <= 40; i++) {
    const double t = 0.1 * i;
    const matrix3 generator = {{0, -t, 0}, {t, 0, 0}, {0, 0, 2 * t}};
    const matrix3 wanted = {{cos(t), -sin(t), 0}, {sin(t), cos(t), 0}, {0, 0, exp(2 * t)}};
    matrix3 out;
    assert_true(matrix3_exp(generator, NULL, out, NULL));
    assert_close(out, wanted, 1e-13); /* of six squarings */
  }
  matrix3 out;
  const matrix3 huge = {{1e3, 0, 0}}, none = {{(double)NAN, 0, 0}};
  assert_false(matrix3_exp(huge, NULL, out, NULL));
  assert_false(matrix3_exp(none, NULL, out, NULL));
}

/* Against five points along the direction. */
static void test_exp_derivative(void **state) {
  (void)state;
  struct rng rng = {2};
  for (int i = 0; i < 20; i++) {
    const double h = 2e-3, weights[4] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};
    const double steps[4] = {-2, -1, 1, 2};
    matrix3 a, direction, out, derivative, alone, wanted = {{0}};
    random_matrix(&rng, 0.8, a);
    random_matrix(&rng, 1, direction);
    assert_true(matrix3_exp(a, direction, out, derivative));
    assert_true(matrix3_exp(a, NULL, alone, NULL));
    assert_memory_equal(out, alone, sizeof out);
    for (size_t k = 0; k < 4; k++) {
      matrix3 moved;
      for (size_t j = 0; j < 9; j++)
        (&moved[0][0])[j] = (&a[0][0])[j] + steps[k] * h * (&direction[0][0])[j];
      assert_true(matrix3_exp(moved, NULL, out, NULL));
      for (size_t j = 0; j < 9; j++)
        (&wanted[0][0])[j] += weights[k] / h * (&out[0][0])[j];
    }
    assert_close(derivative, wanted, 1e-9);
  }
}

/* log(exp(a)) = a, of small and of large matrices. */
static void test_log_of_exp(void **state) {
  (void)state;
  struct rng rng = {3};
  const double sizes[5] = {1e-12, 1e-6, 1e-2, 0.3, 1.0};
  for (int i = 0; i < 50; i++) {
    matrix3 a, out, back;
    random_matrix(&rng, sizes[i % 5], a);
    assert_true(matrix3_exp(a, NULL, out, NULL));
    assert_true(matrix3_log(out, back));
    assert_all_close(&back[0][0], &a[0][0], 9, 2e-13, 0);
  }
  matrix3 one, zero = {{0}}, out;
  matrix3_identity(one);
  assert_true(matrix3_log(one, out));
  assert_memory_equal(out, zero, sizeof zero);
}

static void test_log_that_is_not_there(void **state) {
  (void)state;
  const matrix3 mirrored = {{-1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  const matrix3 turned = {{-1, 0, 0}, {0, -2, 0}, {0, 0, 1}}, none = {{0}};
  const matrix3 infinite = {{(double)INFINITY, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  matrix3 out;
  assert_false(matrix3_log(mirrored, out));
  assert_false(matrix3_log(turned, out));
  assert_false(matrix3_log(none, out));
  assert_false(matrix3_log(infinite, out));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_inverse_and_determinant), cmocka_unit_test(test_exp_in_closed_form),
      cmocka_unit_test(test_exp_derivative),          cmocka_unit_test(test_log_of_exp),
      cmocka_unit_test(test_log_that_is_not_there),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
