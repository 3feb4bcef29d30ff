/* Functions of vectors of reals, good to a few units in the last place. NaN passes through. */
#ifndef CORE_CPU_KERNELS_VECTOR_MATH_H
#define CORE_CPU_KERNELS_VECTOR_MATH_H

#include "core/base/real.h"

#include <stdint.h>
#include <string.h>
#if VECTOR_BYTES == 64
#include <immintrin.h>
#endif

#if IRREP_REAL_BITS == 32
typedef uint32_t vec_bits __attribute__((vector_size(VECTOR_BYTES), may_alias));
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define EXP_LOWEST ((real)-87)
#define LN2_HIGH ((real)0.693359375) /* its products with exponents are exact */
#define LN2_LOW ((real)-2.12194440054690583e-4)
#define EXP_TERMS 7
#define ATANH_TERMS 9
#else
typedef uint64_t vec_bits __attribute__((vector_size(VECTOR_BYTES), may_alias));
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXP_LOWEST ((real)-708)
#define LN2_HIGH ((real)6.93147180369123816490e-01)
#define LN2_LOW ((real)1.90821492927058770002e-10)
#define EXP_TERMS 13
#define ATANH_TERMS 17
#endif

static inline vec vec_all(real x) {
  return x - (vec){0};
}

/* Loads and stores without alignment. */
static inline vec vec_read(const real *p) {
  vec v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void vec_write(real *p, vec v) {
  memcpy(p, &v, sizeof v);
}

/* Lanes where a < b; a where the mask has a lane, b elsewhere. Of AVX-512 the compiler would make
 * masks into vectors, by an instruction that waits for what its register held before. */
#if VECTOR_BYTES == 64 && IRREP_REAL_BITS == 32
typedef __mmask16 vec_mask;

static inline vec_mask vec_less(vec a, vec b) {
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ);
}

static inline vec vec_select(vec_mask mask, vec a, vec b) {
  return (vec)_mm512_mask_blend_ps(mask, (__m512)b, (__m512)a);
}
#elif VECTOR_BYTES == 64
typedef __mmask8 vec_mask;

static inline vec_mask vec_less(vec a, vec b) {
  return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_LT_OQ);
}

static inline vec vec_select(vec_mask mask, vec a, vec b) {
  return (vec)_mm512_mask_blend_pd(mask, (__m512d)b, (__m512d)a);
}
#else
typedef vec_bits vec_mask;

static inline vec_mask vec_less(vec a, vec b) {
  return (vec_bits)(a < b);
}

static inline vec vec_select(vec_mask mask, vec a, vec b) {
  return (vec)(((vec_bits)a & mask) | ((vec_bits)b & ~mask));
}
#endif

static inline vec vec_abs(vec x) {
  return vec_select(vec_less(x, vec_all(0)), -x, x) + 0; /* -0 becomes 0 */
}

static inline vec vec_positive_part(vec x) {
  return vec_select(vec_less(x, vec_all(0)), vec_all(0), x);
}

/* e^x and, with its own digits, e^x - 1, for x <= 0. With x = n ln 2 + r they are 2^n (e^r - 1)
 * plus 2^n and plus 2^n - 1, and e^r - 1 is a Taylor
 * polynomial, |r| <= ln 2 / 2. Adding `magic` rounds to an integer, whose bits are then the last
 * ones of the mantissa. */
static inline vec vec_exp(vec x, vec *less_one) {
  const real magic = (real)1.5 * (real)((uint64_t)1 << MANTISSA_BITS);
  const vec y = vec_select(vec_less(x, vec_all(EXP_LOWEST)), vec_all(EXP_LOWEST), x);
  const vec shifted = y * (real)1.44269504088896340736 + magic;
  const vec n = shifted - magic;
  const vec r = (y - n * LN2_HIGH) - n * LN2_LOW;
  vec sum = vec_all(1); /* of r^k / (k + 1)! by Horner */
#pragma GCC unroll 16
  for (int k = EXP_TERMS; k >= 2; k--)
    sum = 1 + r * (real)(1.0 / k) * sum;
  const vec_bits exponent = ((vec_bits)shifted + EXPONENT_BIAS) << MANTISSA_BITS;
  const vec power = (vec)exponent;
  *less_one = power * (r * sum) + (power - 1);
  return power * (r * sum) + power;
}

/* log(1 + x) for -1/2 <= x <= 1, as 2 artanh(x / (2 + x)). */
static inline vec vec_log1p(vec x) {
  const vec s = x / (2 + x), squared = s * s;
  vec sum = vec_all((real)(1.0 / (2 * ATANH_TERMS + 1)));
#pragma GCC unroll 20
  for (int k = ATANH_TERMS - 1; k >= 0; k--)
    sum = (real)(1.0 / (2 * k + 1)) + squared * sum;
  return 2 * s * sum;
}

#endif
