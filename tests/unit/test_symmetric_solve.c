#include "core/dynamics/symmetric_solve.h"
#include "tests/unit/support_arrays.h"

#define N_MAX 40

/* matrix = sum over k of values[k] q_k q_k^T, where q are made orthonormal by Gram and Schmidt;
 * right = sum of |values[k]| or values[k] times (q_k . x) q_k. */
static void make(struct rng *rng, size_t n, const double *values, double *matrix, const double *x,
                 bool absolute, double *right) {
  double q[N_MAX][N_MAX];
  memset(matrix, 0, n * n * sizeof *matrix);
  memset(right, 0, n * sizeof *right);
  for (size_t k = 0; k < n; k++) {
    rng_fill(rng, n, q[k]);
    for (int twice = 0; twice < 2; twice++)
      for (size_t j = 0; j < k; j++) {
        const double part = dot(n, q[j], q[k]);
        for (size_t i = 0; i < n; i++)
          q[k][i] -= part * q[j][i];
      }
    const double length = sqrt(dot(n, q[k], q[k]));
    for (size_t i = 0; i < n; i++)
      q[k][i] /= length;
    const double part = dot(n, q[k], x) * (absolute ? fabs(values[k]) : values[k]);
    for (size_t i = 0; i < n; i++) {
      right[i] += part * q[k][i];
      for (size_t j = 0; j < n; j++)
        matrix[i * n + j] += values[k] * q[k][i] * q[k][j];
    }
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++)
      matrix[i * n + j] = matrix[j * n + i];
}

static void solve(size_t n, bool absolute, uint64_t seed) {
  struct rng rng = {seed};
  double values[N_MAX], x[N_MAX], out[N_MAX], right[N_MAX];
  double *matrix = doubles_new(n * n), *factor = doubles_new(n * n);
  double *scratch = doubles_new(n * (n + 3));
  for (size_t k = 0; k < n; k++)
    values[k] = (absolute && k % 3 == 1 ? -1 : 1) * (1 + 20 * fabs(rng_next(&rng)));
  if (n > 3) /* twice the same */
    values[3] = values[2];
  rng_fill(&rng, n, x);
  make(&rng, n, values, matrix, x, absolute, right);
  assert_int_equal(symmetric_solve_definite(n, matrix, right, factor, out), !absolute || n < 2);
  if (!absolute)
    assert_all_close(out, x, n, 1e-12, 1e-12);
  memcpy(out, right, n * sizeof *out); /* in place */
  assert_true(symmetric_solve_absolute(n, matrix, out, scratch, out));
  assert_all_close(out, x, n, 1e-12, 1e-12);
  free(matrix);
  free(factor);
  free(scratch);
}

static void test_definite(void **state) {
  (void)state;
  for (size_t n = 1; n <= N_MAX; n++)
    solve(n, false, n);
}

static void test_indefinite(void **state) {
  (void)state;
  for (size_t n = 1; n <= N_MAX; n++)
    solve(n, true, 100 + n);
}

/* No reflection and no iteration is needed. */
static void test_diagonal(void **state) {
  (void)state;
  double matrix[9] = {-2, 0, 0, 0, 4, 0, 0, 0, -0.5}, scratch[3 * 6], x[3] = {2, 2, 2};
  const double wanted[3] = {1, 0.5, 4};
  assert_true(symmetric_solve_absolute(3, matrix, x, scratch, x));
  assert_memory_equal(x, wanted, sizeof wanted);
}

static void test_not_finite(void **state) {
  (void)state;
  double matrix[9] = {1, (double)NAN, 0, (double)NAN, 1, 0, 0, 0, 1}, scratch[3 * 6], factor[9];
  double x[3] = {1, 1, 1};
  assert_false(symmetric_solve_definite(3, matrix, x, factor, x));
  assert_true(!symmetric_solve_absolute(3, matrix, x, scratch, x) || isnan(x[0] + x[1]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_definite),
      cmocka_unit_test(test_indefinite),
      cmocka_unit_test(test_diagonal),
      cmocka_unit_test(test_not_finite),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
