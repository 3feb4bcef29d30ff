#include "core/kernels/activations.h"

#include "core/kernels/vector_math.h"

#include <math.h>

#if IRREP_REAL_BITS == 32
#define EXP expf
#define ERF erff
#else
#define EXP exp
#define ERF erf
#endif

/* Exponentials are taken of negative numbers, so that none overflows. */
static inline vec sigmoid(vec x) {
  vec less_one;
  const vec e = vec_exp(-vec_abs(x), &less_one);
  return vec_select((vec_bits)(x < 0), e, vec_all(1)) / (1 + e);
}

static inline vec softplus(vec x) {
  vec less_one;
  return vec_log1p(vec_exp(-vec_abs(x), &less_one)) + vec_positive_part(x);
}

/* log((1 + e^x) / 2), without the difference of softplus and log 2. */
static inline vec shifted_softplus(vec x) {
  vec less_one;
  vec_exp(-vec_abs(x), &less_one);
  return vec_log1p(less_one / 2) + vec_positive_part(x);
}

static inline vec hyperbolic_tangent(vec x) {
  vec less_one;
  vec_exp(-2 * vec_abs(x), &less_one);
  const vec t = -less_one / (2 + less_one);
  return vec_select((vec_bits)(x < 0), -t, t);
}

static inline vec sign(vec x) {
  return vec_select((vec_bits)(x > 0), vec_all(1), vec_all(0)) -
         vec_select((vec_bits)(x < 0), vec_all(1), vec_all(0));
}

/* Lane by lane: the one activation here that needs the error function. */
static void gelu(vec x, vec *y, vec *dy) {
  for (size_t i = 0; i < VECTOR_LANES; i++) {
    const real below = (1 + ERF(x[i] * (real)0.70710678118654752440)) / 2;
    (*y)[i] = x[i] * below;
    (*dy)[i] = below + x[i] * (real)0.39894228040143267794 * EXP(-x[i] * x[i] / 2);
  }
}

static inline void activate(enum activation kind, vec x, vec *y, vec *dy) {
  *y = x;
  *dy = vec_all(1);
  switch (kind) {
  case ACTIVATION_IDENTITY:
    break;
  case ACTIVATION_SILU: {
    const vec s = sigmoid(x);
    *y = x * s;
    *dy = s * (1 + x * (1 - s));
    break;
  }
  case ACTIVATION_TANH:
    *y = hyperbolic_tangent(x);
    *dy = 1 - *y * *y;
    break;
  case ACTIVATION_SSP:
    *y = shifted_softplus(x);
    *dy = sigmoid(x);
    break;
  case ACTIVATION_SIGMOID:
    *y = sigmoid(x);
    *dy = *y * (1 - *y);
    break;
  case ACTIVATION_ABS:
    *y = vec_abs(x);
    *dy = sign(x);
    break;
  case ACTIVATION_TANH_SQUARE:
    *y = hyperbolic_tangent(x * x);
    *dy = 2 * x * (1 - *y * *y);
    break;
  case ACTIVATION_GELU:
    gelu(x, y, dy);
    break;
  case ACTIVATION_MISH: {
    const vec t = hyperbolic_tangent(softplus(x));
    *y = x * t;
    *dy = t + x * (1 - t * t) * sigmoid(x);
    break;
  }
  case ACTIVATION_SOFTPLUS:
    *y = softplus(x);
    *dy = sigmoid(x);
    break;
  }
}

/* The last reals that are not a whole vector. */
static void activate_rest(enum activation kind, size_t n, const real *in, real *out,
                          real *derivative) {
  real lanes[VECTOR_LANES] = {0};
  vec y, dy;
  memcpy(lanes, in, n * sizeof(real));
  activate(kind, vec_read(lanes), &y, &dy);
  for (size_t i = 0; i < n; i++) {
    out[i] = y[i];
    if (derivative)
      derivative[i] = dy[i];
  }
}

void KERNEL(activation)(enum activation kind, size_t n, const real *in, real *out,
                        real *derivative) {
  const size_t whole = n / VECTOR_LANES * VECTOR_LANES;
  for (size_t i = 0; i < whole; i += VECTOR_LANES) {
    vec y, dy;
    activate(kind, vec_read(in + i), &y, &dy);
    vec_write(out + i, y);
    if (derivative)
      vec_write(derivative + i, dy);
  }
  if (n > whole)
    activate_rest(kind, n - whole, in + whole, out + whole, derivative ? derivative + whole : NULL);
}
