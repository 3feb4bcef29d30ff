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
  case CUTOFF_NONE:
    *value = 1.0;
    break;
  }
}

/* T_n and its derivative n U_(n-1), both by the recursion a_(i+1) = 2 x a_i - a_(i-1). */
static void chebyshev(size_t n, double x, double *value, double *derivative) {
  double t[2] = {1.0, x}, u[2] = {0.0, 1.0};
  for (size_t i = 1; i < n; i++) {
    const double next_t = 2.0 * x * t[1] - t[0], next_u = 2.0 * x * u[1] - u[0];
    t[0] = t[1];
    t[1] = next_t;
    u[0] = u[1];
    u[1] = next_u;
  }
  *value = t[1];
  *derivative = (double)n * u[1];
}

/* Bumps of equal width, the last of which ends at r_max. */
static void spline(const struct radial *radial, size_t k, double r, double *value,
                   double *derivative) {
  const double per_length = (double)radial->n_basis / radial->r_max;
  const double width = (double)(radial->span + 1);
  const double t = (per_length * r - (double)k + (double)radial->span) / width;
  if (!(t > 0.0 && t < 1.0))
    return;
  const double bump = 1.0 - cos(2.0 * pi * t);
  *value = 0.25 * bump * bump;
  *derivative = pi * bump * sin(2.0 * pi * t) * per_length / width;
}

static void agnesi(const struct radial *radial, double r0, double r, double *x, double *dx) {
  const double s = r / r0, a = radial->a, q = radial->q, d = q - radial->transform_p;
  const double power = a * pow(s, q), damping = pow(s, d), below = 1.0 + damping;
  *x = 1.0 / (1.0 + power / below);
  *dx = -*x * *x * power / (below * r) * (q - d * damping / below);
}

static void soft(const struct radial *radial, double r0, double r, double *x, double *dx) {
  const double p0 = 0.75 * r0, p1 = 4.0 / 3.0 * r0, steepness = radial->alpha / (p1 - p0);
  const double t = tanh(steepness * (r - 0.5 * (p0 + p1)));
  *x = p0 + (r - p0) * 0.5 * (1.0 + t);
  *dx = 0.5 * (1.0 + t) + (r - p0) * 0.5 * steepness * (1.0 - t * t);
}

/* The basis's argument and its derivative by the distance. */
static void transform(const struct radial *radial, size_t pair, double r, double *x, double *dx) {
  *x = r;
  *dx = 1.0;
  switch (radial->transform) {
  case TRANSFORM_NONE:
    break;
  case TRANSFORM_AGNESI:
    agnesi(radial, radial->r0[pair], r, x, dx);
    break;
  case TRANSFORM_SOFT:
    soft(radial, radial->r0[pair], r, x, dx);
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
  case RADIAL_CHEBYSHEV:
    chebyshev(k + 1, r, value, derivative);
    break;
  case RADIAL_SPLINE:
    spline(radial, k, r, value, derivative);
    break;
  }
}

void radial_embedding(const struct radial *radial, size_t pair, double r, double *value,
                      double *derivative) {
  double f, df;
  radial_cutoff(radial, r, &f, &df);
  value[radial->n_basis] = radial->envelope ? f : 1.0;
  derivative[radial->n_basis] = radial->envelope ? df : 0.0;
  if (radial->envelope) {
    f = 1.0;
    df = 0.0;
  }
  double x, dx;
  transform(radial, pair, r, &x, &dx);
  for (size_t k = 0; k < radial->n_basis; k++) {
    double b, db;
    basis(radial, k, x, &b, &db);
    value[k] = b * f;
    derivative[k] = db * dx * f + b * df;
  }
}
