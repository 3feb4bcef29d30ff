#include "core/nn/radial.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* With q = p(p+1)(p+2)/2 the derivative by u collapses to -q u^(p-1) (1-u)^2. */
void radial_polynomial_cutoff(double p, double u, double *value, double *derivative) {
  const double up = pow(u, p), v = 1.0 - u;
  *value = 1.0 - up * ((p + 1.0) * (p + 2.0) / 2.0 - u * (p * (p + 2.0) - u * p * (p + 1.0) / 2.0));
  *derivative = -p * (p + 1.0) * (p + 2.0) / 2.0 * up / u * v * v;
}

static void polynomial(const struct radial *radial, double r, double *value, double *derivative) {
  radial_polynomial_cutoff(radial->p, r / radial->r_max, value, derivative);
  *derivative /= radial->r_max;
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

/* Flat beyond all orders at r_max, where the exponent goes to minus infinity. */
static void mollifier(const struct radial *radial, double r, double *value, double *derivative) {
  const double u = r / radial->r_max, gap = (1.0 - u) * (1.0 + u);
  *value = exp(1.0 - 1.0 / gap);
  *derivative = *value > 0.0 ? *value * -2.0 * u / (gap * gap) / radial->r_max : 0.0;
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
  case CUTOFF_MOLLIFIER:
    mollifier(radial, r, value, derivative);
    break;
  }
}

static void basis(const struct radial *radial, size_t k, double r, double *value,
                  double *derivative) {
  *value = *derivative = 0.0;
  switch (radial->basis) {
  case RADIAL_BESSEL: {
    const double w = radial->frequencies[k];
    *value = radial->prefactor * sin(w * r) / r;
    *derivative = (radial->prefactor * w * cos(w * r) - *value) / r;
    break;
  }
  case RADIAL_GAUSSIAN: {
    const double c = radial->coefficients[k], gap = r - radial->centers[k];
    *value = exp(c * gap * gap);
    *derivative = 2.0 * c * gap * *value;
    break;
  }
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
    double b, db;
    basis(radial, k, r, &b, &db);
    value[k] = b * f;
    derivative[k] = db * f + b * df;
  }
}
