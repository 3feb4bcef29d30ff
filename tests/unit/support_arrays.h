/* Arrays for tests: numbers that look random and are the same in every run, aligned memory of exact
 * size, comparison, slopes. Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_ARRAYS_H
#define TESTS_UNIT_SUPPORT_ARRAYS_H

#include "irrep/conventions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* Linear congruential, Knuth's MMIX. A test starts one anywhere: {seed}. */
struct rng {
  uint64_t state;
};

/* In [-1, 1). */
static inline double rng_next(struct rng *rng) {
  rng->state = rng->state * 6364136223846793005u + 1442695040888963407u;
  return (double)(rng->state >> 11) * 0x1p-52 - 1.0;
}

/* In 0 .. n - 1. */
static inline size_t rng_below(struct rng *rng, size_t n) {
  return (size_t)((rng_next(rng) * 0.5 + 0.5) * (double)n);
}

static inline void rng_fill(struct rng *rng, size_t n, double *x) {
  for (size_t i = 0; i < n; i++)
    x[i] = rng_next(rng);
}

/* Zeroed, aligned to IRREP_ALIGNMENT, not a byte too long; for free(). */
static inline void *aligned_new(size_t bytes) {
  void *memory = NULL;
  assert_int_equal(posix_memalign(&memory, IRREP_ALIGNMENT, bytes ? bytes : 1), 0);
  memset(memory, 0, bytes);
  return memory;
}

static inline double *doubles_new(size_t n) {
  return aligned_new(n * sizeof(double));
}

/* |actual - expected| <= absolute + relative * |expected| for each element; NaN fails. */
static inline void assert_all_close(const double *actual, const double *expected, size_t n,
                                    double absolute, double relative) {
  for (size_t i = 0; i < n; i++)
    if (!(fabs(actual[i] - expected[i]) <= absolute + relative * fabs(expected[i])))
      fail_msg("element %zu of %zu is %.17g, expected %.17g", i, n, actual[i], expected[i]);
}

/* |actual - expected| <= factor * bound for each element; NaN fails. */
static inline void assert_within(const double *actual, const double *expected, const double *bound,
                                 size_t n, double factor) {
  for (size_t i = 0; i < n; i++)
    if (!(fabs(actual[i] - expected[i]) <= factor * bound[i]))
      fail_msg("element %zu of %zu is %.17g, expected %.17g within %.3g", i, n, actual[i],
               expected[i], factor * bound[i]);
}

static inline double dot(size_t n, const double *a, const double *b) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

/* The derivative at t = 0 of f(x + t direction), from five points h apart: its error is about
 * h^4 / 30 times f's fifth derivative, plus the rounding of f over h. */
static inline double slope_along(double (*f)(const double *x, void *context), void *context,
                                 size_t n, const double *x, const double *direction, double h) {
  static const double weights[4] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};
  static const double steps[4] = {-2, -1, 1, 2};
  double *moved = doubles_new(n), slope = 0.0;
  for (size_t k = 0; k < 4; k++) {
    for (size_t i = 0; i < n; i++)
      moved[i] = x[i] + steps[k] * h * direction[i];
    slope += weights[k] * f(moved, context) / h;
  }
  free(moved);
  return slope;
}

/* That gradient [n] is the one of f at x: its products with three random directions are the slopes
 * along them, to tolerance * (1 + the size of the product's terms). */
static inline void assert_gradient(double (*f)(const double *x, void *context), void *context,
                                   size_t n, const double *x, const double *gradient, double h,
                                   double tolerance) {
  struct rng rng = {n};
  double *direction = doubles_new(n);
  for (int k = 0; k < 3; k++) {
    rng_fill(&rng, n, direction);
    const double expected = slope_along(f, context, n, x, direction, h);
    double size = 1.0;
    for (size_t i = 0; i < n; i++)
      size += fabs(gradient[i] * direction[i]);
    const double actual = dot(n, gradient, direction);
    if (!(fabs(actual - expected) <= tolerance * size))
      fail_msg("slope %.15g along the gradient, %.15g of the function", actual, expected);
  }
  free(direction);
}

#endif
