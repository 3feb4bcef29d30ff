/* The harmonics are polynomials of the direction n = v / |v| (spherical_harmonics.c): of degree m
 * in (z + i x), times Q_{l,m}(y). With g and H the gradient and the Hessian of f(n), its components
 * taken as independent, and P = 1 - n n^T,
 *
 *   d2 f(v / |v|) / dv dv = (P H P - (g . n) P - (P g) n^T - n (P g)^T) / |v|^2. */
#include "core/e3/harmonics_second.h"

#include "irrep/conventions.h"

#include <math.h>

/* What sums of derivatives of the polynomials begin with: gradient and Hessian by n. */
struct jet {
  double g[3], h[3][3];
};

/* Q_{l,m}(y) and its first two derivatives, and those of l - 1. */
struct legendre {
  double q, dq, ddq, q_below, dq_below, ddq_below;
};

static double sectoral(int m) {
  double q = 1.0;
  for (int k = 1; k <= m; k++)
    q *= sqrt(k == 1 ? 3.0 : (2.0 * k + 1.0) / (2.0 * k));
  return q;
}

/* From l - 1 to l, by the recursion of spherical_harmonics.c. */
static void rise(struct legendre *p, int l, int m, double y) {
  const double l2 = (double)l * l, k2 = (l - 1.0) * (l - 1.0), m2 = (double)m * m;
  const double up = sqrt((4.0 * l2 - 1.0) / (l2 - m2));
  const double fall = l == m + 1 ? 0.0 : sqrt((k2 - m2) / (4.0 * k2 - 1.0));
  const double q = up * (y * p->q - fall * p->q_below);
  const double dq = up * (p->q + y * p->dq - fall * p->dq_below);
  const double ddq = up * (2.0 * p->dq + y * p->ddq - fall * p->ddq_below);
  *p = (struct legendre){q, dq, ddq, p->q, p->dq, p->ddq};
}

/* Adds the part of order m: by A_m = Re (z + i x)^m and B_m = Im, `to` having the sums over l of
 * the weights times Q and its derivatives, of A first and then of B. */
static void add_order(struct jet *jet, int m, const double powers[2][IRREP_L_MAX + 1],
                      double to[2][3]) {
  const double *re = powers[0], *im = powers[1];
  const double once = m, twice = m * (m - 1.0);
  const double a[3] = {re[m], m > 0 ? re[m - 1] : 0.0, m > 1 ? re[m - 2] : 0.0};
  const double b[3] = {im[m], m > 0 ? im[m - 1] : 0.0, m > 1 ? im[m - 2] : 0.0};
  jet->g[0] += once * (to[1][0] * a[1] - to[0][0] * b[1]);
  jet->g[1] += to[0][1] * a[0] + to[1][1] * b[0];
  jet->g[2] += once * (to[0][0] * a[1] + to[1][0] * b[1]);
  jet->h[0][0] -= twice * (to[0][0] * a[2] + to[1][0] * b[2]);
  jet->h[2][2] += twice * (to[0][0] * a[2] + to[1][0] * b[2]);
  jet->h[0][2] += twice * (to[1][0] * a[2] - to[0][0] * b[2]);
  jet->h[1][1] += to[0][2] * a[0] + to[1][2] * b[0];
  jet->h[0][1] += once * (to[1][1] * a[1] - to[0][1] * b[1]);
  jet->h[1][2] += once * (to[0][1] * a[1] + to[1][1] * b[1]);
}

static struct jet polynomials(int l_max, const double n[3], const double *weights) {
  struct jet jet = {0};
  double powers[2][IRREP_L_MAX + 1] = {{1.0}};
  for (int m = 0; m <= l_max; m++) {
    struct legendre p = {.q = sectoral(m)};
    double to[2][3] = {{0.0}};
    for (int l = m; l <= l_max; l++) {
      const double *w = weights + l * l + l;
      if (l > m)
        rise(&p, l, m, n[1]);
      for (int sign = 0; sign < (m > 0 ? 2 : 1); sign++) {
        const double weight = sign == 0 ? w[m] : w[-m];
        to[sign][0] += weight * p.q;
        to[sign][1] += weight * p.dq;
        to[sign][2] += weight * p.ddq;
      }
    }
    if (m > 0) {
      powers[0][m] = n[2] * powers[0][m - 1] - n[0] * powers[1][m - 1];
      powers[1][m] = n[2] * powers[1][m - 1] + n[0] * powers[0][m - 1];
    }
    add_order(&jet, m, powers, to);
  }
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < i; j++)
      jet.h[i][j] = jet.h[j][i];
  return jet;
}

void harmonics_second(int l_max, const double vector[3], const double *weights,
                      double second[3][3]) {
  const double r = sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2]);
  const double n[3] = {vector[0] / r, vector[1] / r, vector[2] / r};
  const struct jet jet = polynomials(l_max, n, weights);
  double along = 0.0, across[3], hn[3], nhn = 0.0;
  for (int i = 0; i < 3; i++)
    along += jet.g[i] * n[i];
  for (int i = 0; i < 3; i++) {
    across[i] = jet.g[i] - along * n[i];
    hn[i] = jet.h[i][0] * n[0] + jet.h[i][1] * n[1] + jet.h[i][2] * n[2];
    nhn += n[i] * hn[i];
  }
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      const double projected = jet.h[i][j] - hn[i] * n[j] - n[i] * hn[j] + nhn * n[i] * n[j];
      const double projector = (i == j ? 1.0 : 0.0) - n[i] * n[j];
      second[i][j] =
          (projected - along * projector - across[i] * n[j] - n[i] * across[j]) / (r * r);
    }
}
