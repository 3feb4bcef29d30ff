#include "core/dynamics/matrix3.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define EXP_NORM_MAX 100.0
#define EXP_NORM_SCALED 0.125 /* what follows EXP_TERMS terms is below 1e-17 */
#define EXP_TERMS 11
#define LOG_NORM_SCALED                                                                            \
  0.05 /* of the root minus one: what follows LOG_TERMS terms is below 1e-17 */
#define LOG_TERMS 6
#define ROOTS_MAX 40
#define ROOT_ITERATIONS_MAX 60

void matrix3_identity(double out[3][3]) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      out[i][j] = i == j ? 1 : 0;
}

void matrix3_multiply(const double a[3][3], const double b[3][3], double out[3][3]) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      out[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j];
}

void matrix3_transpose(const double a[3][3], double out[3][3]) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      out[i][j] = a[j][i];
}

static void cofactors(const double a[3][3], double out[3][3]) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++) {
      const size_t i1 = (i + 1) % 3, i2 = (i + 2) % 3, j1 = (j + 1) % 3, j2 = (j + 2) % 3;
      out[i][j] = a[i1][j1] * a[i2][j2] - a[i1][j2] * a[i2][j1];
    }
}

double matrix3_determinant(const double a[3][3]) {
  matrix3 c;
  cofactors(a, c);
  return a[0][0] * c[0][0] + a[0][1] * c[0][1] + a[0][2] * c[0][2];
}

double matrix3_norm(const double a[3][3]) {
  double sum = 0;
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      sum += a[i][j] * a[i][j];
  return sqrt(sum);
}

bool matrix3_inverse(const double a[3][3], double out[3][3]) {
  matrix3 c;
  cofactors(a, c);
  const double determinant = a[0][0] * c[0][0] + a[0][1] * c[0][1] + a[0][2] * c[0][2];
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      out[i][j] = c[j][i] / determinant;
  return isfinite(matrix3_norm(out));
}

/* out = factor (a b + c d) */
static void add_products(double factor, const double a[3][3], const double b[3][3],
                         const double c[3][3], const double d[3][3], double out[3][3]) {
  matrix3 ab, cd;
  matrix3_multiply(a, b, ab);
  matrix3_multiply(c, d, cd);
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      out[i][j] = factor * (ab[i][j] + cd[i][j]);
}

static void add_to(double sum[3][3], const double a[3][3]) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      sum[i][j] += a[i][j];
}

static void scale(double a[3][3], double factor) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      a[i][j] *= factor;
}

/* The sums over k of a^k / k! and of its derivative. */
static void exp_series(const double a[3][3], const double direction[3][3], double sum[3][3],
                       double derivative[3][3]) {
  matrix3 power, slope = {{0}}, next_power, next_slope;
  const matrix3 zero = {{0}};
  matrix3_identity(power);
  matrix3_identity(sum);
  memset(derivative, 0, sizeof(matrix3));
  for (int k = 1; k <= EXP_TERMS; k++) {
    add_products(1.0 / k, slope, a, power, direction, next_slope);
    add_products(1.0 / k, power, a, zero, zero, next_power);
    memcpy(power, next_power, sizeof power);
    memcpy(slope, next_slope, sizeof slope);
    add_to(sum, power);
    add_to(derivative, slope);
  }
}

bool matrix3_exp(const double a[3][3], const double direction[3][3], double out[3][3],
                 double derivative[3][3]) {
  const matrix3 zero = {{0}};
  matrix3 scaled, scaled_direction, slope, square;
  int squarings = 0;
  memcpy(scaled, a, sizeof scaled);
  memcpy(scaled_direction, derivative ? direction : zero, sizeof scaled_direction);
  if (!(matrix3_norm(a) <= EXP_NORM_MAX))
    return false;
  for (; matrix3_norm(scaled) > EXP_NORM_SCALED; squarings++) {
    scale(scaled, 0.5);
    scale(scaled_direction, 0.5);
  }
  exp_series(scaled, scaled_direction, out, slope);
  for (; squarings > 0; squarings--) {
    add_products(1, slope, out, out, slope, square);
    memcpy(slope, square, sizeof slope);
    add_products(1, out, out, zero, zero, square);
    memcpy(out, square, sizeof square);
  }
  if (derivative)
    memcpy(derivative, slope, sizeof slope);
  return true;
}

/* out = 0.5 (1 + a) */
static void mean_with_one(const double a[3][3], double out[3][3]) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      out[i][j] = 0.5 * ((i == j ? 1 : 0) + a[i][j]);
}

static double distance_from_one(const double a[3][3]) {
  matrix3 one, away;
  matrix3_identity(one);
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++)
      away[i][j] = a[i][j] - one[i][j];
  return matrix3_norm(away);
}

/* The principal square root: with M_0 = X_0 = a, X = X (1 + M^-1) / 2 and M = (1 + (M + M^-1) / 2)
 * / 2 tend to it and to 1, quadratically. */
static bool square_root(const double a[3][3], double root[3][3]) {
  matrix3 m, inverse, half, next;
  bool is_near = false;
  memcpy(m, a, sizeof m);
  memcpy(root, a, sizeof m);
  for (int n = 0; n < ROOT_ITERATIONS_MAX; n++) {
    if (!matrix3_inverse(m, inverse))
      return false;
    mean_with_one(inverse, half);
    matrix3_multiply(root, half, next);
    memcpy(root, next, sizeof next);
    if (is_near)
      return true;
    for (size_t i = 0; i < 3; i++)
      for (size_t j = 0; j < 3; j++)
        half[i][j] = 0.5 * (m[i][j] + inverse[i][j]);
    mean_with_one(half, m);
    is_near = distance_from_one(m) < 1e-8;
  }
  return false;
}

/* log(a) = 2 artanh(z) with z = (a - 1) (a + 1)^-1 */
static bool log_series(const double a[3][3], double out[3][3]) {
  matrix3 below, above, inverse, z, square, power;
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 3; j++) {
      below[i][j] = a[i][j] - (i == j ? 1 : 0);
      above[i][j] = a[i][j] + (i == j ? 1 : 0);
    }
  if (!matrix3_inverse(above, inverse))
    return false;
  matrix3_multiply(below, inverse, z);
  matrix3_multiply(z, z, square);
  memset(out, 0, sizeof(matrix3));
  memcpy(power, z, sizeof power);
  for (int k = 0; k < LOG_TERMS; k++) {
    for (size_t i = 0; i < 3; i++)
      for (size_t j = 0; j < 3; j++)
        out[i][j] += 2 * power[i][j] / (2 * k + 1);
    matrix3_multiply(power, square, z);
    memcpy(power, z, sizeof power);
  }
  return true;
}

bool matrix3_log(const double a[3][3], double out[3][3]) {
  matrix3 root, next;
  double factor = 1;
  memcpy(root, a, sizeof root);
  if (!(matrix3_determinant(a) > 0) || !isfinite(matrix3_norm(a)))
    return false;
  for (int n = 0; n <= ROOTS_MAX; n++) {
    if (distance_from_one(root) <= LOG_NORM_SCALED) {
      if (!log_series(root, out))
        return false;
      scale(out, factor);
      return isfinite(matrix3_norm(out));
    }
    if (!square_root(root, next))
      return false;
    memcpy(root, next, sizeof root);
    factor *= 2;
  }
  return false;
}
