#include "core/dynamics/symmetric_solve.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define ITERATIONS_MAX 60
#define PIVOT_MIN 1e-10 /* of the diagonal element: below it rounding has the say */

/* y += factor x */
static void add(size_t n, double factor, const double *x, double *y) {
  for (size_t i = 0; i < n; i++)
    y[i] += factor * x[i];
}

static double dot(size_t n, const double *x, const double *y) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += x[i] * y[i];
  return sum;
}

/* Definite */

/* matrix = transposed(factor) factor with an upper triangle; row by row, so that the loops within
 * run along rows. */
static bool factorise(size_t n, const double *matrix, double *factor) {
  for (size_t i = 0; i < n; i++)
    memcpy(factor + i * n + i, matrix + i * n + i, (n - i) * sizeof *matrix);
  for (size_t i = 0; i < n; i++) {
    double *row = factor + i * n;
    if (!(row[i] > PIVOT_MIN * fabs(matrix[i * n + i])) || !isfinite(row[i]))
      return false;
    const double root = sqrt(row[i]);
    for (size_t j = i; j < n; j++)
      row[j] /= root;
    for (size_t j = i + 1; j < n; j++)
      add(n - j, -row[j], row + j, factor + j * n + j);
  }
  return true;
}

bool symmetric_solve_definite(size_t n, const double *matrix, const double *right, double *factor,
                              double *x) {
  if (!factorise(n, matrix, factor))
    return false;
  memmove(x, right, n * sizeof *x);
  for (size_t i = 0; i < n; i++) {
    x[i] /= factor[i * n + i];
    add(n - i - 1, -x[i], factor + i * n + i + 1, x + i + 1);
  }
  for (size_t i = n; i-- > 0;)
    x[i] = (x[i] - dot(n - i - 1, factor + i * n + i + 1, x + i + 1)) / factor[i * n + i];
  return true;
}

/* Absolute */

/* What is left of a reflection 1 - scale v v^T of row k: v lies in the row, behind the diagonal. */
static void reflect(size_t n, const double *v, double scale, double *x) {
  add(n, -scale * dot(n, v, x), v, x);
}

/* The vector v of the reflection that makes x = (*beside, 0, 0, ...), in the place of x. Returns
 * its scale; 0 where nothing has to be reflected. */
static double reflection(size_t n, double *x, double *beside) {
  const double tail = dot(n - 1, x + 1, x + 1), length = sqrt(x[0] * x[0] + tail);
  *beside = x[0];
  if (tail == 0)
    return 0;
  *beside = x[0] > 0 ? -length : length;
  x[0] -= *beside;
  return 2 / (x[0] * x[0] + tail);
}

/* Reflects the rows and columns behind k of a symmetric matrix: A -= v w^T + w v^T with
 * p = scale A v and w = p - (scale p . v / 2) v. */
static void reflect_matrix(size_t n, size_t k, double scale, double *matrix, double *w) {
  const double *v = matrix + k * n + k + 1;
  const size_t m = n - k - 1;
  memset(w, 0, m * sizeof *w);
  for (size_t i = 0; i < m; i++)
    add(m, scale * v[i], matrix + (k + 1 + i) * n + k + 1, w);
  add(m, -0.5 * scale * dot(m, w, v), v, w);
  for (size_t i = 0; i < m; i++) {
    double *row = matrix + (k + 1 + i) * n + k + 1;
    const double vi = v[i], wi = w[i];
    for (size_t j = 0; j < m; j++)
      row[j] -= vi * w[j] + wi * v[j];
  }
}

/* The tridiagonal matrix of diagonal [n] and beside [n], and the scales [n] of the reflections
 * whose vectors stay in the rows of the matrix. `beside` is scratch until it is filled. */
static void reduce(size_t n, double *matrix, double *diagonal, double *beside, double *scales) {
  for (size_t k = 0; k + 1 < n; k++) {
    double next;
    diagonal[k] = matrix[k * n + k];
    scales[k] = reflection(n - k - 1, matrix + k * n + k + 1, &next);
    if (scales[k] != 0)
      reflect_matrix(n, k, scales[k], matrix, beside + k + 1);
    beside[k] = next;
  }
  diagonal[n - 1] = matrix[(n - 1) * n + n - 1];
  beside[n - 1] = 0;
}

/* The first index from `begin` on behind which nothing is beside the diagonal. */
static size_t block_end(size_t n, size_t begin, const double *diagonal, const double *beside) {
  size_t end = begin;
  while (end + 1 < n &&
         fabs(beside[end]) > 0.5 * DBL_EPSILON * (fabs(diagonal[end]) + fabs(diagonal[end + 1])))
    end++;
  return end;
}

static void rotate_rows(size_t n, double cosine, double sine, double *low, double *high) {
  for (size_t k = 0; k < n; k++) {
    const double x = low[k], y = high[k];
    high[k] = sine * x + cosine * y;
    low[k] = cosine * x - sine * y;
  }
}

/* One sweep with Wilkinson's shift over begin..end; the rows of `vectors` turn along. */
static void sweep(size_t n, size_t begin, size_t end, double *diagonal, double *beside,
                  double *vectors) {
  const double half = (diagonal[begin + 1] - diagonal[begin]) / (2 * beside[begin]);
  const double root = half < 0 ? -sqrt(half * half + 1) : sqrt(half * half + 1);
  double g = diagonal[end] - diagonal[begin] + beside[begin] / (half + root);
  double sine = 1, cosine = 1, shift = 0;
  for (size_t i = end; i-- > begin;) {
    const double f = sine * beside[i], b = cosine * beside[i], r = sqrt(f * f + g * g);
    beside[i + 1] = r;
    if (r == 0) { /* the block falls apart here */
      diagonal[i + 1] -= shift;
      beside[end] = 0;
      return;
    }
    sine = f / r;
    cosine = g / r;
    g = diagonal[i + 1] - shift;
    const double t = (diagonal[i] - g) * sine + 2 * cosine * b;
    shift = sine * t;
    diagonal[i + 1] = g + shift;
    g = cosine * t - b;
    rotate_rows(n, cosine, sine, vectors + i * n, vectors + (i + 1) * n);
  }
  diagonal[begin] -= shift;
  beside[begin] = g;
  beside[end] = 0;
}

/* Eigenvalues in diagonal [n], eigenvectors in the rows of vectors [n][n]. */
static bool diagonalise(size_t n, double *diagonal, double *beside, double *vectors) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      vectors[i * n + j] = i == j ? 1 : 0;
  for (size_t begin = 0; begin < n; begin++)
    for (int i = 0;; i++) {
      const size_t end = block_end(n, begin, diagonal, beside);
      if (end == begin)
        break;
      if (i == ITERATIONS_MAX)
        return false;
      sweep(n, begin, end, diagonal, beside, vectors);
    }
  return true;
}

bool symmetric_solve_absolute(size_t n, double *matrix, const double *right, double *scratch,
                              double *x) {
  double *vectors = scratch, *diagonal = vectors + n * n, *beside = diagonal + n;
  double *scales = beside + n, *parts = beside;
  memmove(x, right, n * sizeof *x);
  if (n == 0)
    return true;
  reduce(n, matrix, diagonal, beside, scales);
  if (!diagonalise(n, diagonal, beside, vectors))
    return false;
  for (size_t k = 0; k + 1 < n; k++)
    reflect(n - k - 1, matrix + k * n + k + 1, scales[k], x + k + 1);
  for (size_t i = 0; i < n; i++)
    parts[i] = dot(n, vectors + i * n, x) / fabs(diagonal[i]);
  memset(x, 0, n * sizeof *x);
  for (size_t i = 0; i < n; i++)
    add(n, parts[i], vectors + i * n, x);
  for (size_t k = n - 1; k-- > 0;)
    reflect(n - k - 1, matrix + k * n + k + 1, scales[k], x + k + 1);
  return true;
}
