#include "core/nn/hermite.h"
#include "tests/unit/support_arrays.h"

/* A polynomial of degree 2n-1 and its derivative. */
static double polynomial(const double *c, size_t n_terms, double s, double *slope) {
  double value = 0.0;
  *slope = 0.0;
  for (size_t k = n_terms; k-- > 0;) {
    *slope = *slope * s + value;
    value = value * s + c[k];
  }
  return value;
}

/* What the matrix is for: from values and slopes it gives the coefficients back. */
static void gives_back_polynomials(void **state) {
  (void)state;
  for (size_t n = 2; n <= HERMITE_POINTS_MAX; n++) {
    const size_t n_terms = 2 * n;
    double matrix[HERMITE_TERMS_MAX * HERMITE_TERMS_MAX], c[HERMITE_TERMS_MAX];
    double data[HERMITE_TERMS_MAX], found[HERMITE_TERMS_MAX];
    struct rng rng = {n};
    rng_fill(&rng, n_terms, c);
    hermite_matrix(n, matrix);
    for (size_t i = 0; i < n; i++) {
      const double s = -1.0 + 2.0 * (double)i / (double)(n - 1);
      data[2 * i] = polynomial(c, n_terms, s, &data[2 * i + 1]);
    }
    for (size_t k = 0; k < n_terms; k++) {
      found[k] = 0.0;
      for (size_t j = 0; j < n_terms; j++)
        found[k] += matrix[k * n_terms + j] * data[j];
    }
    assert_all_close(found, c, n_terms, 1e-13, 0.0);
  }
}

static void two_points_are_the_cubic(void **state) {
  (void)state;
  const double expected[16] = {0.5, 0.25,  0.5, -0.25, -0.75, -0.25, 0.75,  -0.25,
                               0.0, -0.25, 0.0, 0.25,  0.25,  0.25,  -0.25, 0.25};
  double matrix[16];
  hermite_matrix(2, matrix);
  assert_all_close(matrix, expected, 16, 1e-15, 0.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(gives_back_polynomials),
                                     cmocka_unit_test(two_points_are_the_cubic)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
