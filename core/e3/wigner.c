#include "core/e3/wigner.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* (l1 + l2 + l3 + 1)! is the largest factorial needed: 19! is an integer below 2^63. */
static long double factorial(int n) {
  uint64_t product = 1;
  for (int i = 2; i <= n; i++) {
    product *= (uint64_t)i;
  }
  return (long double)product;
}

static int64_t binomial(int n, int k) {
  if (k < 0 || k > n) {
    return 0;
  }
  int64_t value = 1;
  for (int i = 1; i <= k; i++) {
    value = value * (n - k + i) / i;
  }
  return value;
}

/* The Clebsch-Gordan coefficient <l1 m1 l2 m2 | l3 m1+m2> of Condon and Shortley's phases. Racah's
 * sum is over products of binomials, hence an exact integer; only the root is rounded. */
static long double complex_coupling(int l1, int l2, int l3, int m1, int m2) {
  int m3 = m1 + m2;
  int p = l1 + l2 - l3, q = l1 - l2 + l3, r = -l1 + l2 + l3;
  int64_t sum = 0;
  for (int k = 0; k <= p; k++) {
    int64_t term = binomial(p, k) * binomial(q, l1 - m1 - k) * binomial(r, l2 + m2 - k);
    sum += k % 2 == 0 ? term : -term;
  }
  /* Products in pairs of +m and -m: the result is bitwise (anti)symmetric in the sign of all m. */
  long double numerator = (factorial(l1 + m1) * factorial(l1 - m1)) *
                          (factorial(l2 + m2) * factorial(l2 - m2)) *
                          (factorial(l3 + m3) * factorial(l3 - m3));
  long double denominator =
      factorial(l1 + l2 + l3 + 1) * factorial(p) * factorial(q) * factorial(r);
  return (long double)sum * sqrtl((long double)(2 * l3 + 1) * numerator / denominator);
}

/* The change of basis from complex m to real m' = +-m is i^phase / sqrt(2), or i^phase for m = 0;
 * the common (-i)^l is what makes all couplings real. */
static int basis_phase(int l, int m_complex, int m_real) {
  int phase = 3 * l;
  if (m_real < 0) {
    phase += m_complex < 0 ? 3 : 1;
  }
  if (m_complex > 0) {
    phase += 2 * m_complex;
  }
  return phase;
}

/* The coupling coefficient sqrt(2*l3+1) * 3j of real harmonics. Of the up to four complex terms,
 * those that contribute are equal in size, so sums neither round nor leave residues for zeros. */
static long double real_coupling(int l1, int l2, int l3, int m1, int m2, int m3) {
  static const double scale_squared[] = {1.0, 0.5, 0.25, 0.125};
  int a1 = abs(m1), a2 = abs(m2);
  long double sum = 0.0L;
  for (int c1 = -a1; c1 <= a1; c1 += a1 > 0 ? 2 * a1 : 1) {
    for (int c2 = -a2; c2 <= a2; c2 += a2 > 0 ? 2 * a2 : 1) {
      int c3 = c1 + c2;
      if (abs(c3) != abs(m3)) {
        continue;
      }
      /* The third basis enters conjugated: minus its phase, which is 3 times it modulo 4. */
      int phase = basis_phase(l1, c1, m1) + basis_phase(l2, c2, m2) + 3 * basis_phase(l3, c3, m3);
      if (phase % 2 == 0) { /* the odd ones are imaginary and cancel in pairs */
        long double term = complex_coupling(l1, l2, l3, c1, c2);
        sum += phase % 4 == 0 ? term : -term;
      }
    }
  }
  int n_split = (m1 != 0) + (m2 != 0) + (m3 != 0);
  return sum == 0.0L ? 0.0L : sum * sqrtl((long double)scale_squared[n_split]);
}

static bool couples(int l1, int l2, int l3) {
  bool in_range =
      l1 >= 0 && l2 >= 0 && l3 >= 0 && l1 <= IRREP_L_MAX && l2 <= IRREP_L_MAX && l3 <= IRREP_L_MAX;
  return in_range && abs(l1 - l2) <= l3 && l3 <= l1 + l2;
}

enum irrep_status wigner_3j(int l1, int l2, int l3, double *w3j) {
  if (!couples(l1, l2, l3)) {
    return IRREP_BAD_ARGUMENT;
  }
  long double norm = sqrtl((long double)(2 * l3 + 1));
  size_t i = 0;
  for (int m1 = -l1; m1 <= l1; m1++) {
    for (int m2 = -l2; m2 <= l2; m2++) {
      for (int m3 = -l3; m3 <= l3; m3++) {
        w3j[i++] = (double)(real_coupling(l1, l2, l3, m1, m2, m3) / norm);
      }
    }
  }
  return IRREP_OK;
}

enum irrep_status coupling_terms(int l1, int l2, int l3, struct coupling_term *terms,
                                 size_t *n_terms) {
  if (!couples(l1, l2, l3)) {
    return IRREP_BAD_ARGUMENT;
  }
  size_t n = 0;
  for (int m3 = -l3; m3 <= l3; m3++) {
    for (int m1 = -l1; m1 <= l1; m1++) {
      for (int m2 = -l2; m2 <= l2; m2++) {
        double c = (double)real_coupling(l1, l2, l3, m1, m2, m3);
        if (c != 0.0) {
          terms[n++] = (struct coupling_term){m1 + l1, m2 + l2, m3 + l3, c};
        }
      }
    }
  }
  *n_terms = n;
  return IRREP_OK;
}

static bool is_rotation(const double r[3][3]) {
  const double tolerance = 1e-6;
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 3; j++) {
      double dot = r[i][0] * r[j][0] + r[i][1] * r[j][1] + r[i][2] * r[j][2];
      if (!(fabs(dot - (i == j ? 1.0 : 0.0)) <= tolerance)) { /* so that NaN fails */
        return false;
      }
    }
  }
  double determinant = r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) +
                       r[0][1] * (r[1][2] * r[2][0] - r[1][0] * r[2][2]) +
                       r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
  return determinant > 0.0;
}

/* D of degree l from that of degree l - 1: the component l of D_{l-1} x D_1, where D_1 = R because
 * harmonics of degree 1 are (x, y, z). Couplings with l3 = l are an isometry, so errors stay small.
 */
static void raise_degree(int l, const double rotation[3][3],
                         double d[WIGNER_DIM_MAX][WIGNER_DIM_MAX]) {
  struct coupling_term terms[WIGNER_DIM_MAX * 3 * WIGNER_DIM_MAX];
  size_t n_terms = 0;
  (void)coupling_terms(l - 1, 1, l, terms, &n_terms); /* in range by construction */
  double raised[WIGNER_DIM_MAX][WIGNER_DIM_MAX] = {{0.0}};
  for (size_t i = 0; i < n_terms; i++) {
    const struct coupling_term *row = &terms[i];
    for (size_t j = 0; j < n_terms; j++) {
      const struct coupling_term *column = &terms[j];
      raised[row->m3][column->m3] +=
          row->c * column->c * d[row->m1][column->m1] * rotation[row->m2][column->m2];
    }
  }
  memcpy(d, raised, sizeof raised);
}

enum irrep_status wigner_d(int l, const double rotation[3][3], double *d) {
  if (l < 0 || l > IRREP_L_MAX || !is_rotation(rotation)) {
    return IRREP_BAD_ARGUMENT;
  }
  double full[WIGNER_DIM_MAX][WIGNER_DIM_MAX] = {{1.0}};
  for (int degree = 1; degree <= l; degree++) {
    raise_degree(degree, rotation, full);
  }
  size_t dim = 2 * (size_t)l + 1;
  for (size_t i = 0; i < dim; i++) {
    memcpy(d + i * dim, full[i], dim * sizeof *d);
  }
  return IRREP_OK;
}
