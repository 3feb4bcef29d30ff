#include "core/dynamics/matrix3.h"
#include "core/dynamics/symmetric3.h"
#include "tests/unit/support_arrays.h"

static void random_symmetric(struct rng *rng, double size, double a[3][3]) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j <= i; j++)
      a[i][j] = a[j][i] = size * rng_next(rng);
}

static void test_eigen(void **state) {
  (void)state;
  struct rng rng = {1};
  for (size_t t = 0; t < 1000; t++) {
    double a[3][3], u[3][3], values[3], left[3][3], transposed[3][3], product[3][3], one[3][3];
    random_symmetric(&rng, t % 2 ? 1 : 1e-7, a);
    if (t % 3 == 0)
      a[0][0] = a[1][1] = a[2][2] = 1; /* nearly three times the same */
    symmetric3_eigen(a, values, u);
    matrix3_multiply(a, u, left);
    for (size_t i = 0; i < 3; i++)
      for (size_t k = 0; k < 3; k++)
        assert_true(fabs(left[i][k] - u[i][k] * values[k]) < 1e-14);
    matrix3_transpose(u, transposed);
    matrix3_multiply(transposed, u, product);
    matrix3_identity(one);
    assert_all_close(product[0], one[0], 9, 1e-14, 0);
  }
}

static void test_eigen_of_diagonal(void **state) {
  (void)state;
  const double a[3][3] = {{3, 0, 0}, {0, -1, 0}, {0, 0, 2}};
  double values[3], u[3][3], one[3][3];
  symmetric3_eigen(a, values, u);
  matrix3_identity(one);
  assert_memory_equal(u, one, sizeof one);
  assert_true(values[0] == 3 && values[1] == -1 && values[2] == 2);
}

static void test_exp(void **state) {
  (void)state;
  struct rng rng = {2};
  for (size_t t = 0; t < 200; t++) {
    double a[3][3], zero[3][3] = {{0}}, out[3][3], expected[3][3];
    random_symmetric(&rng, 0.5, a);
    symmetric3_exp(a, out);
    assert_true(matrix3_exp(a, zero, expected, NULL));
    assert_all_close(out[0], expected[0], 9, 1e-14, 1e-14);
  }
}

/* A frame keeps the first vector's direction and the first two's plane. */
static void test_frame(void **state) {
  (void)state;
  struct rng rng = {3};
  for (size_t t = 0; t < 200; t++) {
    double cell[3][3], e[3][3], transposed[3][3], lower[3][3], product[3][3], one[3][3];
    rng_fill(&rng, 9, cell[0]);
    symmetric3_frame(cell, e);
    matrix3_transpose(e, transposed);
    matrix3_multiply(cell, transposed, lower);
    assert_true(lower[0][0] > 0 && lower[1][1] > 0);
    assert_true(fabs(lower[0][1]) + fabs(lower[0][2]) + fabs(lower[1][2]) < 1e-13);
    matrix3_multiply(e, transposed, product);
    matrix3_identity(one);
    assert_all_close(product[0], one[0], 9, 1e-12, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_eigen),
                                     cmocka_unit_test(test_eigen_of_diagonal),
                                     cmocka_unit_test(test_exp), cmocka_unit_test(test_frame)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
