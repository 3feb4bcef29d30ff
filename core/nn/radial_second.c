#include "core/nn/radial_second.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* A function of the distance, and its derivatives. */
struct jet {
  double value, first, second;
};

/* The polynomial cutoff's by u, of which the first is -C u^(p-1) (1-u)^2. */
static struct jet polynomial(double p, double u) {
  struct jet f;
  const double c = p * (p + 1.0) * (p + 2.0) / 2.0, v = 1.0 - u;
  radial_polynomial_cutoff(p, u, &f.value, &f.first);
  f.second = -c * pow(u, p - 2.0) * v * ((p - 1.0) * v - 2.0 * u);
  return f;
}

static double xplor_second(const struct radial *radial, double r) {
  if (r < radial->r_on)
    return 0.0;
  const double s = r * r, on = radial->r_on * radial->r_on, cut = radial->r_max * radial->r_max;
  const double width = (cut - on) * (cut - on) * (cut - on), gap = cut - s;
  return 12.0 / width * (gap * (on - s) - 2.0 * s * (on - s) - 2.0 * s * gap);
}

static double mollifier_second(const struct radial *radial, double r, const struct jet *f) {
  const double u = r / radial->r_max, gap = (1.0 - u) * (1.0 + u);
  if (!(f->value > 0.0))
    return 0.0;
  const double g = -2.0 * u / (gap * gap) / radial->r_max;
  const double dg =
      (-2.0 / (gap * gap) - 8.0 * u * u / (gap * gap * gap)) / (radial->r_max * radial->r_max);
  return f->first * g + f->value * dg;
}

static struct jet cutoff(const struct radial *radial, double r) {
  struct jet f = {0};
  radial_cutoff(radial, r, &f.value, &f.first);
  if (!(r < radial->r_max))
    return f;
  const double a = pi / radial->r_max;
  switch (radial->cutoff) {
  case CUTOFF_POLYNOMIAL:
    f.second = polynomial(radial->p, r / radial->r_max).second / (radial->r_max * radial->r_max);
    break;
  case CUTOFF_XPLOR:
    f.second = xplor_second(radial, r);
    break;
  case CUTOFF_COSINE:
    f.second = -0.5 * a * a * cos(a * r);
    break;
  case CUTOFF_MOLLIFIER:
    f.second = mollifier_second(radial, r, &f);
    break;
  case CUTOFF_NONE:
    break;
  }
  return f;
}

/* T_n with two derivatives, all by the recursion of T. */
static struct jet chebyshev(size_t n, double x) {
  struct jet below = {1.0, 0.0, 0.0}, t = {x, 1.0, 0.0};
  for (size_t i = 1; i < n; i++) {
    const struct jet next = {2.0 * x * t.value - below.value,
                             2.0 * (t.value + x * t.first) - below.first,
                             2.0 * (2.0 * t.first + x * t.second) - below.second};
    below = t;
    t = next;
  }
  return t;
}

static struct jet spline(const struct radial *radial, size_t k, double r) {
  const double per_length = (double)radial->n_basis / radial->r_max;
  const double width = (double)(radial->span + 1);
  const double t = (per_length * r - (double)k + (double)radial->span) / width;
  if (!(t > 0.0 && t < 1.0))
    return (struct jet){0};
  const double rate = 2.0 * pi * per_length / width;
  const double bump = 1.0 - cos(2.0 * pi * t), slope = rate * sin(2.0 * pi * t);
  const double bend = rate * rate * cos(2.0 * pi * t);
  return (struct jet){0.25 * bump * bump, 0.5 * bump * slope, 0.5 * (slope * slope + bump * bend)};
}

static struct jet basis(const struct radial *radial, size_t k, double r) {
  struct jet b = {0};
  switch (radial->basis) {
  case RADIAL_BESSEL: {
    const double w = radial->frequencies[k];
    b.value = radial->prefactor * sin(w * r) / r;
    b.first = (radial->prefactor * w * cos(w * r) - b.value) / r;
    b.second = -w * w * b.value - 2.0 * b.first / r;
    break;
  }
  case RADIAL_GAUSSIAN: {
    const double c = radial->coefficients[k], gap = r - radial->centers[k];
    b.value = exp(c * gap * gap);
    b.first = 2.0 * c * gap * b.value;
    b.second = 2.0 * c * (b.value + gap * b.first);
    break;
  }
  case RADIAL_CHEBYSHEV:
    b = chebyshev(k + 1, r);
    break;
  case RADIAL_SPLINE:
    b = spline(radial, k, r);
    break;
  }
  return b;
}

/* 1 / (1 + h) with h = a s^q / (1 + s^d), s = r / r0: h' = h k / r, k = q - d s^d / (1 + s^d). */
static struct jet agnesi(const struct radial *radial, double r0, double r) {
  const double s = r / r0, q = radial->q, d = q - radial->transform_p;
  const double damping = pow(s, d), below = 1.0 + damping;
  const double h = radial->a * pow(s, q) / below, k = q - d * damping / below;
  const double dk = -d * d * damping / (below * below * r);
  const double dh = h * k / r, ddh = dh * k / r - h * k / (r * r) + h * dk / r;
  const double x = 1.0 / (1.0 + h);
  return (struct jet){x, -x * x * dh, 2.0 * x * x * x * dh * dh - x * x * ddh};
}

static struct jet soft(const struct radial *radial, double r0, double r) {
  const double p0 = 0.75 * r0, p1 = 4.0 / 3.0 * r0, steepness = radial->alpha / (p1 - p0);
  const double t = tanh(steepness * (r - 0.5 * (p0 + p1))), rest = 1.0 - t * t;
  return (struct jet){p0 + (r - p0) * 0.5 * (1.0 + t),
                      0.5 * (1.0 + t) + (r - p0) * 0.5 * steepness * rest,
                      steepness * rest * (1.0 - (r - p0) * steepness * t)};
}

static struct jet transform(const struct radial *radial, size_t pair, double r) {
  switch (radial->transform) {
  case TRANSFORM_AGNESI:
    return agnesi(radial, radial->r0[pair], r);
  case TRANSFORM_SOFT:
    return soft(radial, radial->r0[pair], r);
  case TRANSFORM_NONE:
    break;
  }
  return (struct jet){r, 1.0, 0.0};
}

void radial_second(const struct radial *radial, size_t pair, double r, double *second) {
  struct jet f = cutoff(radial, r);
  second[radial->n_basis] = radial->envelope ? f.second : 0.0;
  if (radial->envelope)
    f = (struct jet){1.0, 0.0, 0.0};
  const struct jet x = transform(radial, pair, r);
  for (size_t k = 0; k < radial->n_basis; k++) {
    const struct jet b = basis(radial, k, x.value);
    second[k] = (b.second * x.first * x.first + b.first * x.second) * f.value +
                2.0 * b.first * x.first * f.first + b.value * f.second;
  }
}

double pair_repulsion_second(const struct pair_repulsion *pair, uint32_t receiver, uint32_t sender,
                             double r) {
  const size_t i = receiver * pair->n_species + sender;
  if (!(r < pair->r_max[i]))
    return 0.0;
  struct jet s = {0}, c = polynomial(pair->p, r / pair->r_max[i]);
  c.first /= pair->r_max[i];
  c.second /= pair->r_max[i] * pair->r_max[i];
  for (size_t k = 0; k < pair->n_terms; k++) {
    const double rate = pair->exponents[k] / pair->length[i];
    const double term = pair->coefficients[k] * exp(-rate * r);
    s.value += term;
    s.first -= rate * term;
    s.second += rate * rate * term;
  }
  /* of s c / r, with p = s c */
  const double p = s.value * c.value, dp = s.first * c.value + s.value * c.first;
  const double ddp = s.second * c.value + 2.0 * s.first * c.first + s.value * c.second;
  return pair->factor[i] * (ddp - 2.0 * dp / r + 2.0 * p / (r * r)) / r;
}
