#include "core/dynamics/symmetric3.h"

#include "core/dynamics/elementary.h"
#include "core/dynamics/matrix3.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* Convergence is quadratic: six are enough for any matrix, and more do nothing. */
#define SWEEPS 10

/* Makes a[p][q] zero: a becomes j^T a j and u becomes u j, with j a rotation of axes p and q. */
static void rotate(double a[3][3], double u[3][3], size_t p, size_t q) {
  double j[3][3], transposed[3][3], product[3][3];
  if (a[p][q] == 0)
    return;
  const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const double tangent = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
  const double cosine = 1 / sqrt(tangent * tangent + 1), sine = tangent * cosine;
  matrix3_identity(j);
  j[p][p] = j[q][q] = cosine;
  j[p][q] = sine;
  j[q][p] = -sine;
  matrix3_transpose(j, transposed);
  matrix3_multiply(transposed, a, product);
  matrix3_multiply(product, j, a);
  a[p][q] = a[q][p] = 0;
  matrix3_multiply(u, j, product);
  memcpy(u, product, sizeof product);
}

void symmetric3_eigen(const double a[3][3], double values[3], double u[3][3]) {
  double d[3][3];
  memcpy(d, a, sizeof d);
  matrix3_identity(u);
  for (int sweep = 0; sweep < SWEEPS; sweep++) {
    rotate(d, u, 0, 1);
    rotate(d, u, 0, 2);
    rotate(d, u, 1, 2);
  }
  for (size_t k = 0; k < 3; k++)
    values[k] = d[k][k];
}

void symmetric3_exp(const double a[3][3], double out[3][3]) {
  double values[3], u[3][3], scaled[3][3];
  symmetric3_eigen(a, values, u);
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < 3; k++)
      scaled[i][k] = elementary_exp(values[i]) * u[k][i];
  matrix3_multiply(u, scaled, out);
}

static double dot(const double a[3], const double b[3]) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* Takes from v what lies along the unit vector e. */
static void take_along(double v[3], const double e[3]) {
  const double along = dot(v, e);
  for (size_t k = 0; k < 3; k++)
    v[k] -= along * e[k];
}

static void normalise(double v[3]) {
  const double length = sqrt(dot(v, v));
  for (size_t k = 0; k < 3; k++)
    v[k] /= length;
}

void symmetric3_frame(const double cell[3][3], double out[3][3]) {
  memcpy(out, cell, 2 * sizeof out[0]);
  normalise(out[0]);
  take_along(out[1], out[0]);
  normalise(out[1]);
  for (size_t k = 0; k < 3; k++) {
    const size_t l = (k + 1) % 3, m = (k + 2) % 3;
    out[2][k] = out[0][l] * out[1][m] - out[0][m] * out[1][l];
  }
}
