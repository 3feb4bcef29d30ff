/* Harmonics of the unit direction (x, y, z) about the y axis, as polynomials:
 *
 *     Y_{l,m} = Q_{l,m}(y) A_m,  Y_{l,-m} = Q_{l,m}(y) B_m,  A_m + i B_m = (z + i x)^m,
 *
 * where Q_{l,m} is the normalised m-th derivative of the Legendre polynomial P_l. There is no angle
 * and no division by sin(theta), so nothing is special on the axis. Recursion in l: Holmes and
 * Featherstone, J. Geodesy 76 (2002) 279, equations 11 to 13, without the factor sin(theta)^m. */
#include "core/e3/spherical_harmonics.h"

#include "irrep/conventions.h"

#include <assert.h>
#include <math.h>

/* Q_{l,m} = rise (y Q_{l-1,m} - fall Q_{l-2,m}) for l > m, and the constants Q_{m,m}. */
struct recursion {
  double rise[IRREP_L_MAX + 1][IRREP_L_MAX + 1]; /* [m][l] */
  double fall[IRREP_L_MAX + 1][IRREP_L_MAX + 1]; /* [m][l] */
  double sectoral[IRREP_L_MAX + 1];              /* [m] */
};

static struct recursion recursion_for(int l_max) {
  struct recursion rec = {.sectoral = {1.0}};
  for (int m = 0; m <= l_max; m++) {
    if (m > 0) {
      double ratio_squared = m == 1 ? 3.0 : (2.0 * m + 1.0) / (2.0 * m);
      rec.sectoral[m] = sqrt(ratio_squared) * rec.sectoral[m - 1];
    }
    for (int l = m + 1; l <= l_max; l++) {
      double l2 = (double)l * l, k2 = (l - 1.0) * (l - 1.0), m2 = (double)m * m;
      rec.rise[m][l] = sqrt((4.0 * l2 - 1.0) / (l2 - m2));
      rec.fall[m][l] = l == m + 1 ? 0.0 : sqrt((k2 - m2) / (4.0 * k2 - 1.0));
    }
  }
  return rec;
}

/* Q_{l,m}(y) and its derivative for one m and l = m..l_max, into q[l] and dq[l]. */
static void legendre(const struct recursion *rec, int l_max, int m, double y, double *q,
                     double *dq) {
  q[m] = rec->sectoral[m];
  dq[m] = 0.0;
  double q_below = 0.0, dq_below = 0.0;
  for (int l = m + 1; l <= l_max; l++) {
    double rise = rec->rise[m][l], fall = rec->fall[m][l];
    q[l] = rise * (y * q[l - 1] - fall * q_below);
    dq[l] = rise * (q[l - 1] + y * dq[l - 1] - fall * dq_below);
    q_below = q[l - 1];
    dq_below = dq[l - 1];
  }
}

struct direction {
  double n[3];
  double scale, length; /* the vector's length is scale * length */
};

/* Scaled by the largest component first, so that no length under- or overflows. */
static struct direction direction_of(const double v[3]) {
  double scale = fmax(fabs(v[0]), fmax(fabs(v[1]), fabs(v[2])));
  double x = v[0] / scale, y = v[1] / scale, z = v[2] / scale;
  double length = sqrt(x * x + y * y + z * z);
  return (struct direction){{x / length, y / length, z / length}, scale, length};
}

static void harmonics_of(const struct recursion *rec, int l_max, const double n[3], double *y) {
  double a = 1.0, b = 0.0;
  for (int m = 0; m <= l_max; m++) {
    double q[IRREP_L_MAX + 1], dq[IRREP_L_MAX + 1];
    legendre(rec, l_max, m, n[1], q, dq);
    for (int l = m; l <= l_max; l++) {
      double *y_l = y + l * l + l;
      y_l[-m] = q[l] * b;
      y_l[m] = q[l] * a; /* after the other: for m = 0 this one holds */
    }
    double a_next = n[2] * a - n[0] * b;
    b = n[2] * b + n[0] * a;
    a = a_next;
  }
}

void spherical_harmonics(int l_max, size_t n, const double *vectors, double *y) {
  assert(l_max >= 0 && l_max <= IRREP_L_MAX);
  struct recursion rec = recursion_for(l_max);
  for (size_t i = 0; i < n; i++) {
    if (l_max == 0) {
      y[i] = 1.0;
      continue;
    }
    struct direction direction = direction_of(vectors + 3 * i);
    harmonics_of(&rec, l_max, direction.n, y + i * HARMONICS(l_max));
  }
}

/* Gradient with respect to the direction's components, taken as independent of each other. */
static void polynomials_adjoint(const struct recursion *rec, int l_max, const double n[3],
                                const double *grad_y, double grad_n[3]) {
  double a = 1.0, b = 0.0, a_below = 0.0, b_below = 0.0; /* (z + i x)^m and ^(m-1) */
  grad_n[0] = grad_n[1] = grad_n[2] = 0.0;
  for (int m = 0; m <= l_max; m++) {
    double q[IRREP_L_MAX + 1], dq[IRREP_L_MAX + 1];
    legendre(rec, l_max, m, n[1], q, dq);
    double grad_a = 0.0, grad_b = 0.0;
    for (int l = m; l <= l_max; l++) {
      const double *grad_l = grad_y + l * l + l;
      double to_a = grad_l[m], to_b = grad_l[-m]; /* B_0 = 0 drops the latter for m = 0 */
      grad_n[1] += dq[l] * (to_a * a + to_b * b);
      grad_a += q[l] * to_a;
      grad_b += q[l] * to_b;
    }
    grad_n[0] += m * (grad_b * a_below - grad_a * b_below);
    grad_n[2] += m * (grad_a * a_below + grad_b * b_below);
    a_below = a;
    b_below = b;
    a = n[2] * a_below - n[0] * b_below;
    b = n[2] * b_below + n[0] * a_below;
  }
}

void spherical_harmonics_adjoint(int l_max, size_t n, const double *vectors, const double *grad_y,
                                 double *grad_v) {
  assert(l_max >= 0 && l_max <= IRREP_L_MAX);
  struct recursion rec = recursion_for(l_max);
  for (size_t i = 0; l_max > 0 && i < n; i++) {
    struct direction direction = direction_of(vectors + 3 * i);
    const double *u = direction.n;
    double grad_n[3];
    polynomials_adjoint(&rec, l_max, u, grad_y + i * HARMONICS(l_max), grad_n);
    /* d(direction)/d(vector) = (1 - u u^T) / length */
    double radial = grad_n[0] * u[0] + grad_n[1] * u[1] + grad_n[2] * u[2];
    for (int k = 0; k < 3; k++) {
      grad_v[3 * i + (size_t)k] += (grad_n[k] - radial * u[k]) / direction.length / direction.scale;
    }
  }
}
