/* Activations of a row of n numbers and their derivatives: y_i = a(x_i), y'_i = a'(x_i). SiLU,
 * tanh, shifted softplus (Schuett et al. 2018, J. Chem. Phys. 148, 241722), GELU (Hendrycks
 * and Gimpel 2016), Mish (Misra 2019) and others; a column of IRREP_LANES at a time. */
#include "core/cpu/kernels/activations.h"

#include "core/cpu/kernels/vector_math.h"

#include <math.h>

#if IRREP_REAL_BITS == 32
#define EXP expf
#define ERF erff
#else
#define EXP exp
#define ERF erf
#endif

/* Exponentials are taken of negative numbers, so that none overflows. The sigmoid, and one less the
 * sigmoid with its own digits. */
static inline vec sigmoid(vec x, vec *rest) {
  vec less_one;
  const vec e = vec_exp(-vec_abs(x), &less_one);
  const vec_mask negative = vec_less(x, vec_all(0));
  *rest = vec_select(negative, vec_all(1), e) / (1 + e);
  return vec_select(negative, e, vec_all(1)) / (1 + e);
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

/* The tangent and its derivative. With p = e^(-2 |x|) it is (1 - p) / (1 + p) and, with more of its
 * digits where p is small, 1 - 2 p / (1 + p); the derivative is 4 p / (1 + p)^2. */
static inline vec hyperbolic_tangent(vec x, vec *derivative) {
  vec less_one;
  const vec argument = -2 * vec_abs(x), e = vec_exp(argument, &less_one);
  const vec p = vec_select(vec_less(argument, vec_all(EXP_LOWEST)), vec_all(0), e);
  const vec share = p / (1 + p);
  const vec t =
      vec_select(vec_less(p, vec_all((real)0.25)), 1 - 2 * share, -less_one / (2 + less_one));
  *derivative = 4 * share / (1 + p);
  return vec_select(vec_less(x, vec_all(0)), -t, t);
}

static inline vec sign(vec x) {
  return vec_select(vec_less(vec_all(0), x), vec_all(1), vec_all(0)) -
         vec_select(vec_less(x, vec_all(0)), vec_all(1), vec_all(0));
}

/* Lane by lane: the one activation here that needs the error function. */
static void gelu(vec x, vec *y, vec *dy) {
  for (size_t i = 0; i < VECTOR_LANES; i++) {
    const real below = (1 + ERF(x[i] * (real)0.70710678118654752440)) / 2;
    (*y)[i] = x[i] * below;
    (*dy)[i] = below + x[i] * (real)0.39894228040143267794 * EXP(-x[i] * x[i] / 2);
  }
}

static inline __attribute__((always_inline)) void activate(enum activation kind, vec x, vec *y,
                                                           vec *dy) {
  vec slope, rest;
  *y = x;
  *dy = vec_all(1);
  switch (kind) {
  case ACTIVATION_IDENTITY:
    break;
  case ACTIVATION_SILU: {
    const vec s = sigmoid(x, &rest);
    *y = x * s;
    *dy = s + *y * rest;
    break;
  }
  case ACTIVATION_TANH:
    *y = hyperbolic_tangent(x, dy);
    break;
  case ACTIVATION_SSP:
    *y = shifted_softplus(x);
    *dy = sigmoid(x, &rest);
    break;
  case ACTIVATION_SIGMOID:
    *y = sigmoid(x, &rest);
    *dy = *y * rest;
    break;
  case ACTIVATION_ABS:
    *y = vec_abs(x);
    *dy = sign(x);
    break;
  case ACTIVATION_TANH_SQUARE:
    *y = hyperbolic_tangent(x * x, &slope);
    *dy = 2 * x * slope;
    break;
  case ACTIVATION_GELU:
    gelu(x, y, dy);
    break;
  case ACTIVATION_MISH: {
    const vec t = hyperbolic_tangent(softplus(x), &slope);
    *y = x * t;
    *dy = t + x * slope * sigmoid(x, &rest);
    break;
  }
  case ACTIVATION_SOFTPLUS:
    *y = softplus(x);
    *dy = sigmoid(x, &rest);
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
    if (out)
      out[i] = y[i];
    if (derivative)
      derivative[i] = dy[i];
  }
}

/* Whole vectors. Where one of the two is NULL at the call, it is not computed. */
static inline __attribute__((always_inline)) void
activate_whole(enum activation kind, size_t n, const real *in, real *out, real *derivative) {
  for (size_t i = 0; i < n; i += VECTOR_LANES) {
    vec y, dy;
    activate(kind, vec_read(in + i), &y, &dy);
    if (out)
      vec_write(out + i, y);
    if (derivative)
      vec_write(derivative + i, dy);
  }
}

void KERNEL(activation)(enum activation kind, size_t n, const real *in, real *out,
                        real *derivative) {
  const size_t whole = n / VECTOR_LANES * VECTOR_LANES;
  if (!derivative)
    activate_whole(kind, whole, in, out, NULL);
  else if (!out)
    activate_whole(kind, whole, in, NULL, derivative);
  else
    activate_whole(kind, whole, in, out, derivative);
  if (whole < n)
    activate_rest(kind, n - whole, in + whole, out ? out + whole : NULL,
                  derivative ? derivative + whole : NULL);
}
