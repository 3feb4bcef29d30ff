#include "core/cpu/activation_second.h"

#include <math.h>

/* Exponentials are taken of negative numbers, so that none overflows. */
static double sigmoid(double x) {
  const double e = exp(-fabs(x));
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

static double softplus(double x) {
  return log1p(exp(-fabs(x))) + fmax(x, 0.0);
}

static struct activation_jet silu(double x) {
  const double s = sigmoid(x), slope = s * (1.0 - s);
  return (struct activation_jet){x * s, s + x * slope, slope * (2.0 + x * (1.0 - 2.0 * s))};
}

/* The tangent of u, which has derivatives itself. */
static struct activation_jet tanh_of(struct activation_jet u) {
  const double t = tanh(u.value), rest = 1.0 - t * t;
  return (struct activation_jet){t, rest * u.first,
                                 rest * (u.second - 2.0 * t * u.first * u.first)};
}

static struct activation_jet softplus_of(double x, double less) {
  const double s = sigmoid(x);
  return (struct activation_jet){softplus(x) - less, s, s * (1.0 - s)};
}

static struct activation_jet gelu(double x) {
  const double below = 0.5 * erfc(-x * 0.70710678118654752440);
  const double density = 0.39894228040143267794 * exp(-0.5 * x * x);
  return (struct activation_jet){x * below, below + x * density, (2.0 - x * x) * density};
}

/* x times a function of x. */
static struct activation_jet times_x(double x, struct activation_jet f) {
  return (struct activation_jet){x * f.value, f.value + x * f.first, 2.0 * f.first + x * f.second};
}

struct activation_jet activation_second(enum activation kind, double x) {
  const double s = sigmoid(x);
  switch (kind) {
  case ACTIVATION_IDENTITY:
    break;
  case ACTIVATION_SILU:
    return silu(x);
  case ACTIVATION_TANH:
    return tanh_of((struct activation_jet){x, 1.0, 0.0});
  case ACTIVATION_SSP:
    return softplus_of(x, 0.69314718055994530942);
  case ACTIVATION_SIGMOID:
    return (struct activation_jet){s, s * (1.0 - s), s * (1.0 - s) * (1.0 - 2.0 * s)};
  case ACTIVATION_ABS:
    return (struct activation_jet){fabs(x), (x > 0.0) - (x < 0.0), 0.0};
  case ACTIVATION_TANH_SQUARE:
    return tanh_of((struct activation_jet){x * x, 2.0 * x, 2.0});
  case ACTIVATION_GELU:
    return gelu(x);
  case ACTIVATION_MISH:
    return times_x(x, tanh_of(softplus_of(x, 0.0)));
  case ACTIVATION_SOFTPLUS:
    return softplus_of(x, 0.0);
  }
  return (struct activation_jet){x, 1.0, 0.0};
}
