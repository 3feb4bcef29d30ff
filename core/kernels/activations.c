#include "core/kernels/activations.h"

#include <math.h>

#if IRREP_REAL_BITS == 32
#define EXP expf
#define TANH tanhf
#define LOG1P log1pf
#define FABS fabsf
#define ERF erff
#else
#define EXP exp
#define TANH tanh
#define LOG1P log1p
#define FABS fabs
#define ERF erf
#endif

static const real one = 1;

/* 1 / (1 + e^-x) without overflow: the exponential is taken of a negative number. */
static inline real sigmoid(real x) {
  const real e = EXP(-FABS(x));
  return (x >= 0 ? one : e) / (one + e);
}

static inline real softplus(real x) {
  return LOG1P(EXP(-FABS(x))) + (x > 0 ? x : 0);
}

void KERNEL(activation)(enum activation kind, size_t n, const real *in, real *out,
                        real *derivative) {
  for (size_t i = 0; i < n; i++) {
    const real x = in[i];
    real y = x, dy = one;
    switch (kind) {
    case ACTIVATION_IDENTITY:
      break;
    case ACTIVATION_SILU: {
      const real s = sigmoid(x);
      y = x * s;
      dy = s * (one + x * (one - s));
      break;
    }
    case ACTIVATION_TANH:
      y = TANH(x);
      dy = one - y * y;
      break;
    case ACTIVATION_SSP:
      y = softplus(x) - (real)0.69314718055994530942;
      dy = sigmoid(x);
      break;
    case ACTIVATION_SIGMOID:
      y = sigmoid(x);
      dy = y * (one - y);
      break;
    case ACTIVATION_ABS:
      y = FABS(x);
      dy = x > 0 ? one : x < 0 ? -one : 0;
      break;
    case ACTIVATION_TANH_SQUARE:
      y = TANH(x * x);
      dy = 2 * x * (one - y * y);
      break;
    case ACTIVATION_GELU: {
      const real below = (one + ERF(x * (real)0.70710678118654752440)) / 2;
      y = x * below;
      dy = below + x * (real)0.39894228040143267794 * EXP(-x * x / 2);
      break;
    }
    case ACTIVATION_MISH: {
      const real t = TANH(softplus(x));
      y = x * t;
      dy = t + x * (one - t * t) * sigmoid(x);
      break;
    }
    case ACTIVATION_SOFTPLUS:
      y = softplus(x);
      dy = sigmoid(x);
      break;
    }
    if (derivative)
      derivative[i] = dy;
    out[i] = y;
  }
}
