#include "core/dynamics/random.h"
#include "tests/unit/support_arrays.h"

#define N 50000

/* The moments of many variates lie within five standard deviations of what they should be. */
static void expect_mean(double sum, double n, double mean, double variance) {
  const double sigma = sqrt(variance / n);
  if (!(fabs(sum / n - mean) <= 5 * sigma))
    fail_msg("the mean of %g is %g, expected %g +- %g", n, sum / n, mean, sigma);
}

static void test_normals(void **state) {
  (void)state;
  double sum[4] = {0}, across = 0;
  struct random random = {42, 3, RANDOM_LANGEVIN, 0, 9};
  for (random.step = 0; random.step < N; random.step++) {
    double x[4];
    random_normals(&random, x);
    for (size_t k = 0; k < 4; k++) {
      double power = 1;
      for (size_t m = 0; m < 4; m++)
        sum[m] += power *= x[k];
      across += k > 0 ? x[k] * x[k - 1] : 0;
    }
  }
  expect_mean(sum[0], 4 * N, 0, 1);
  expect_mean(sum[1], 4 * N, 1, 2);
  expect_mean(sum[2], 4 * N, 0, 15);
  expect_mean(sum[3], 4 * N, 3, 96);
  expect_mean(across, 3 * N, 0, 1);
}

static void test_chi_square(void **state) {
  (void)state;
  static const uint64_t degrees[] = {1, 2, 3, 7, 100, 30000};
  struct random random = {7, 0, RANDOM_CSVR, 0, 0};
  assert_true(random_chi_square(&random, 0) == 0);
  for (size_t d = 0; d < sizeof degrees / sizeof *degrees; d++) {
    const double n = (double)degrees[d];
    double sum = 0, squares = 0;
    for (random.step = 0; random.step < N; random.step++) {
      const double x = random_chi_square(&random, degrees[d]);
      assert_true(x >= 0);
      sum += x;
      squares += (x - n) * (x - n);
    }
    expect_mean(sum, N, n, 2 * n);
    expect_mean(squares, N, 2 * n, 8 * n * n + 48 * n);
  }
}

/* Any difference in what they are for gives other numbers, and the same gives the same. */
static void test_keys(void **state) {
  (void)state;
  const struct random base = {1, 2, RANDOM_LANGEVIN, 3, 4};
  struct random others[6] = {base, base, base, base, base, base};
  double first[4], again[4];
  others[0].seed = 2;
  others[1].seed = UINT64_C(1) << 32 | 1;
  others[2].structure = 1;
  others[3].use = RANDOM_CELL;
  others[4].step = UINT64_C(1) << 40 | 3;
  others[5].index = 5;
  random_normals(&base, first);
  for (size_t i = 0; i < 6; i++) {
    random_normals(&others[i], again);
    for (size_t k = 0; k < 4; k++)
      assert_true(first[k] != again[k]);
  }
  random_normals(&base, again);
  assert_memory_equal(first, again, sizeof first);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_normals),
                                     cmocka_unit_test(test_chi_square),
                                     cmocka_unit_test(test_keys)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
