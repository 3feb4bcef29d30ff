#include "core/nn/radial.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* With q = p(p+1)(p+2)/2 the derivative by u collapses to -q u^(p-1) (1-u)^2. */
static void polynomial(const struct radial *radial, double r, double *value, double *derivative) {
  const double p = radial->p, u = r / radial->r_max;
  const double up = pow(u, p), v = 1.0 - u;
  *value = 1.0 - up * ((p + 1.0) * (p + 2.0) / 2.0 - u * (p * (p + 2.0) - u * p * (p + 1.0) / 2.0));
  *derivative = -p * (p + 1.0) * (p + 2.0) / 2.0 * up / u * v * v / radial->r_max;
}

static void xplor(const struct radial *radial, double r, double *value, double *derivative) {
  if (r < radial->r_on) {
    *value = 1.0;
    *derivative = 0.0;
    return;
  }
  const double s = r * r, on = radial->r_on * radial->r_on, cut = radial->r_max * radial->r_max;
  const double width = (cut - on) * (cut - on) * (cut - on), gap = cut - s;
  *value = gap * gap * (cut + 2.0 * s - 3.0 * on) / width;
  *derivative = 12.0 * r * gap * (on - s) / width;
}

static void cosine(const struct radial *radial, double r, double *value, double *derivative) {
  const double a = pi / radial->r_max;
  *value = 0.5 * (1.0 + cos(a * r));
  *derivative = -0.5 * a * sin(a * r);
}

void radial_cutoff(const struct radial *radial, double r, double *value, double *derivative) {
  *value = *derivative = 0.0;
  if (!(r < radial->r_max))
    return;
  switch (radial->cutoff) {
  case CUTOFF_POLYNOMIAL:
    polynomial(radial, r, value, derivative);
    break;
  case CUTOFF_XPLOR:
    xplor(radial, r, value, derivative);
    break;
  case CUTOFF_COSINE:
    cosine(radial, r, value, derivative);
    break;
  }
}

void radial_embedding(const struct radial *radial, double r, double *value, double *derivative) {
  double f, df;
  radial_cutoff(radial, r, &f, &df);
  value[radial->n_basis] = radial->envelope ? f : 1.0;
  derivative[radial->n_basis] = radial->envelope ? df : 0.0;
  if (radial->envelope) {
    f = 1.0;
    df = 0.0;
  }
  for (size_t k = 0; k < radial->n_basis; k++) {
    const double w = radial->frequencies[k];
    const double s = radial->prefactor * sin(w * r) / r;
    const double ds = (radial->prefactor * w * cos(w * r) - s) / r;
    value[k] = s * f;
    derivative[k] = ds * f + s * df;
  }
}
