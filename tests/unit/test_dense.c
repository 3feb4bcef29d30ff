/* Both who compute, against loops in long double and against what eigenvectors are. */
#include "core/base/dense.h"
#include "tests/unit/support_arrays.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

static const struct dense *const both[] = {&dense_own, &dense_openblas};

#define EACH(dense) (size_t which = 0; which < 2 && (dense = both[which]); which++)

static double number(size_t i) {
  return (double)(i * 48271u % 65521u) / 32760.5 - 1.0;
}

static double *numbers_new(size_t n, size_t seed) {
  double *numbers = doubles_new(n);
  for (size_t i = 0; i < n; i++)
    numbers[i] = number(i + seed);
  return numbers;
}

static void check_product(const struct dense *dense, size_t rows, size_t columns, size_t inner,
                          bool accumulate) {
  double *a = numbers_new(rows * inner, 1), *b = numbers_new(inner * columns, 2);
  double *out = numbers_new(rows * columns, 3);
  const struct dense_product product = {rows, columns, inner, a, b, out, accumulate};
  assert_int_equal(dense_product(dense, &product), IRREP_OK);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++) {
      long double sum = accumulate ? (long double)number(r * columns + c + 3) : 0.0L;
      for (size_t k = 0; k < inner; k++)
        sum += (long double)a[r * inner + k] * (long double)b[k * columns + c];
      assert_true(fabs(out[r * columns + c] - (double)sum) <= 1e-15 * (double)(inner + 2));
    }
  free(a), free(b), free(out);
}

static void test_products(void **state) {
  (void)state;
  static const size_t sizes[][3] = {{1, 1, 1},   {1, 128, 128}, {89, 128, 128}, {7, 5, 3},
                                    {64, 1, 17}, {33, 65, 257}, {2, 3, 0},      {0, 4, 4}};
  const struct dense *dense;
  for
    EACH(dense)
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int accumulate = 0; accumulate < 2; accumulate++)
      check_product(dense, sizes[i][0], sizes[i][1], sizes[i][2], accumulate);
}

/* A v = value v, rows of length 1 at right angles to each other, ascending values. */
static void check_eigen(const struct dense *dense, size_t n, const double *a) {
  double *v = doubles_new(n * n), *values = doubles_new(n), largest = 0.0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      v[i * n + j] = j <= i ? a[i * n + j] : (double)NAN; /* is not read */
      largest = fmax(largest, fabs(a[i * n + j]));
    }
  assert_int_equal(dense_symmetric_eigen(dense, n, v, values), IRREP_OK);
  const double bound = 1e-14 * (double)(n + 1);
  for (size_t i = 0; i < n; i++) {
    size_t first = 0;
    assert_true(i == 0 || values[i] >= values[i - 1]);
    for (size_t j = 0; j < n; j++) {
      double along = -values[i] * v[i * n + j], angle = i == j ? -1.0 : 0.0;
      for (size_t k = 0; k < n; k++) {
        along += a[j * n + k] * v[i * n + k];
        angle += v[i * n + k] * v[j * n + k];
      }
      assert_true(fabs(along) <= bound * (1e-300 + largest));
      assert_true(fabs(angle) <= bound);
      first = fabs(v[i * n + j]) > fabs(v[i * n + first]) ? j : first;
    }
    assert_true(v[i * n + first] > 0.0);
  }
  free(v), free(values);
}

static void test_eigen(void **state) {
  (void)state;
  static const double scales[] = {1.0, 1e-200, 1e100};
  const struct dense *dense;
  for
    EACH(dense)
  for (size_t n = 0; n < 70; n += n < 5 ? 1 : 16)
    for (size_t s = 0; s < 3; s++) {
      double *a = doubles_new(n * n + 1);
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
          a[i * n + j] = a[j * n + i] = scales[s] * number(i * n + j);
      check_eigen(dense, n, a);
      free(a);
    }
}

/* Equal eigenvalues, and those that one knows: of a chain of springs, 2 - 2 cos(pi k / (n + 1)). */
static void test_eigen_that_are_known(void **state) {
  (void)state;
  enum { N = 40 };
  const double none[9] = {0}, ones[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  const struct dense *dense;
  for
    EACH(dense) {
      double *chain = doubles_new(N * N), values[N];
      check_eigen(dense, 3, none);
      check_eigen(dense, 3, ones);
      for (size_t i = 0; i < N * N; i++)
        chain[i] = i / N == i % N ? 2.0 : i / N == i % N + 1 || i % N == i / N + 1 ? -1.0 : 0.0;
      check_eigen(dense, N, chain);
      assert_int_equal(dense_symmetric_eigen(dense, N, chain, values), IRREP_OK);
      for (size_t k = 0; k < N; k++)
        assert_true(fabs(values[k] - 2.0 + 2.0 * cos(acos(-1.0) * (double)(k + 1) / (N + 1))) <
                    1e-13);
      free(chain);
    }
}

static void test_what_is_refused(void **state) {
  (void)state;
  double matrix[4] = {1.0, 0.0, (double)NAN, 1.0}, values[2];
  const struct dense *dense;
  for
    EACH(dense) {
      assert_int_equal(dense_symmetric_eigen(dense, 2, matrix, values), IRREP_NOT_FINITE);
      assert_int_equal(dense_symmetric_eigen(dense, DENSE_EIGEN_MAX + 1, matrix, values),
                       IRREP_TOO_LARGE);
      for (int i = 0; i < 3; i++) {
        const size_t most = DENSE_PRODUCT_MAX;
        const struct dense_product product = {i == 0 ? most + 1 : 1,
                                              i == 1 ? most + 1 : 1,
                                              i == 2 ? most + 1 : 1,
                                              NULL,
                                              NULL,
                                              NULL,
                                              false};
        assert_int_equal(dense_product(dense, &product), IRREP_TOO_LARGE);
      }
    }
}

/* Who computes wrong. */

static void product_without_a_term(const struct dense_product *product) {
  dense_own.product(product);
  product->out[product->n_rows * product->n_columns - 1] -= 1e-9;
}

static void product_of_no_numbers(const struct dense_product *product) {
  dense_own.product(product);
  product->out[0] = (double)NAN;
}

static void product_that_forgets(const struct dense_product *product) {
  struct dense_product other = *product;
  other.accumulate = false;
  dense_own.product(&other);
}

static enum irrep_status eigen_that_fails(size_t n, double *matrix, double *values) {
  (void)n, (void)matrix, (void)values;
  return IRREP_NOT_FINITE;
}

static enum irrep_status eigen_that_errs(size_t n, double *matrix, double *values) {
  const enum irrep_status status = dense_own.symmetric_eigen(n, matrix, values);
  values[n / 2] += 1e-6;
  return status;
}

static void test_wrong_results_are_noticed(void **state) {
  (void)state;
  assert_true(dense_is_right(&dense_own));
  assert_true(dense_is_right(&dense_openblas));
  const struct dense wrong[] = {{product_without_a_term, dense_own.symmetric_eigen},
                                {product_of_no_numbers, dense_own.symmetric_eigen},
                                {product_that_forgets, dense_own.symmetric_eigen},
                                {dense_own.product, eigen_that_fails},
                                {dense_own.product, eigen_that_errs}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_false(dense_is_right(&wrong[i]));
}

static void test_choice_and_name(void **state) {
  (void)state;
  char name[64];
  dense_use_one_thread();
  assert_ptr_equal(dense_choose(false), &dense_own);
  assert_ptr_equal(dense_choose(true), &dense_openblas);
  dense_name(&dense_own, name, sizeof name);
  assert_string_equal(name, "own");
  dense_name(&dense_openblas, name, sizeof name);
  int major, minor, used = 0;
  assert_int_equal(sscanf(name, "OpenBLAS %d.%d.%*d %n", &major, &minor, &used), 2);
  assert_true(used > 0 && strlen(name + used) > 2);
}

/* Threads at the same time: Debian's OpenBLAS gives two calls one buffer, if they are let. */

#define THREADS 4
#define ROUNDS 300
#define SIDE 96

static void *compute_again_and_again(void *context) {
  const size_t seed = *(const size_t *)context, n = SIDE * SIDE;
  double *a = numbers_new(n, seed), *out = doubles_new(n), *first = doubles_new(n);
  double values[SIDE];
  size_t n_wrong = 0;
  for (size_t round = 0; round < ROUNDS; round++) {
    const bool eigen = round % 20 == 0;
    const struct dense_product product = {SIDE, SIDE, SIDE, a, a, out, false};
    memcpy(out, a, n * sizeof *out);
    if (eigen)
      n_wrong += dense_symmetric_eigen(&dense_openblas, SIDE, out, values) != IRREP_OK;
    else
      n_wrong += dense_product(&dense_openblas, &product) != IRREP_OK;
    if (round == 1)
      memcpy(first, out, n * sizeof *out);
    n_wrong += !eigen && memcmp(first, out, n * sizeof *out) != 0;
  }
  free(a), free(out), free(first);
  return (void *)(uintptr_t)n_wrong;
}

static void test_threads_do_not_disturb_each_other(void **state) {
  (void)state;
  pthread_t threads[THREADS];
  size_t seeds[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    seeds[i] = 1000 * i;
    assert_int_equal(pthread_create(&threads[i], NULL, compute_again_and_again, &seeds[i]), 0);
  }
  for (size_t i = 0; i < THREADS; i++) {
    void *n_wrong;
    assert_int_equal(pthread_join(threads[i], &n_wrong), 0);
    assert_int_equal((uintptr_t)n_wrong, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products),
      cmocka_unit_test(test_eigen),
      cmocka_unit_test(test_eigen_that_are_known),
      cmocka_unit_test(test_what_is_refused),
      cmocka_unit_test(test_wrong_results_are_noticed),
      cmocka_unit_test(test_choice_and_name),
      cmocka_unit_test(test_threads_do_not_disturb_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
