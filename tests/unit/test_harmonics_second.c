#include "core/e3/harmonics_second.h"
#include "core/e3/spherical_harmonics.h"
#include "irrep/conventions.h"
#include "tests/unit/support_arrays.h"

/* Differences of fourth order of the gradient by the adjoint. */
static void differences(int l_max, const double *vector, const double *weights,
                        double second[3][3]) {
  static const double factors[] = {1.0, -8.0, 8.0, -1.0}, steps[] = {-2.0, -1.0, 1.0, 2.0};
  const double h = 1e-3 * sqrt(dot(3, vector, vector));
  memset(second, 0, 9 * sizeof(double));
  for (size_t i = 0; i < 3; i++)
    for (size_t s = 0; s < 4; s++) {
      double moved[3] = {vector[0], vector[1], vector[2]}, gradient[3] = {0.0};
      moved[i] += steps[s] * h;
      spherical_harmonics_adjoint(l_max, 1, moved, weights, gradient);
      for (size_t j = 0; j < 3; j++)
        second[i][j] += factors[s] * gradient[j] / (12.0 * h);
    }
}

static void check(int l_max, const double *vector) {
  struct rng rng = {(uint64_t)l_max + 1};
  double weights[HARMONICS(IRREP_L_MAX)], found[3][3], expected[3][3], most = 0.0;
  rng_fill(&rng, HARMONICS(l_max), weights);
  harmonics_second(l_max, vector, weights, found);
  differences(l_max, vector, weights, expected);
  for (size_t i = 0; i < 9; i++)
    most = fmax(most, fabs(expected[i / 3][i % 3]));
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++) {
      if (!(fabs(found[i][j] - expected[i][j]) <= 1e-7 * most))
        fail_msg("l_max %d, %zu, %zu: %g is not %g", l_max, i, j, found[i][j], expected[i][j]);
      assert_true(fabs(found[i][j] - found[j][i]) <= 1e-12 * most);
    }
}

static void test_every_degree(void **state) {
  (void)state;
  struct rng rng = {11};
  for (int l_max = 0; l_max <= IRREP_L_MAX; l_max++)
    for (size_t k = 0; k < 20; k++) {
      double vector[3];
      rng_fill(&rng, 3, vector);
      check(l_max, vector);
    }
}

static void test_on_the_axes(void **state) {
  (void)state;
  for (size_t axis = 0; axis < 3; axis++)
    for (double sign = -1.0; sign <= 1.0; sign += 2.0) {
      double vector[3] = {0.0};
      vector[axis] = 2.5 * sign;
      check(4, vector);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_degree),
      cmocka_unit_test(test_on_the_axes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
