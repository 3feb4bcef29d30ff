/* Reductions of the argument as in W. J. Cody and W. Waite, Software Manual for the Elementary
 * Functions, 1980; inside the reduced ranges the Taylor series, whose remainders are below 2^-54.
 */
#include "core/dynamics/elementary.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts, of which the first times an exponent is exact. */
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define PER_LN2 0x1.71547652b82fep+0
#define SQRT2 0x1.6a09e667f3bcdp+0
#define TWO_PI 0x1.921fb54442d18p+2

/* 2^k of a normal double. */
static double power_of_2(int k) {
  const uint64_t bits = (uint64_t)(k + 1023) << 52;
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* 1 / first + x / (first (first + 1)) + x^2 / (first (first + 1) (first + 2)) + ..., n terms. */
static double factorial_series(double x, int first, int n) {
  double sum = 1;
  for (int k = first + n - 1; k > first; k--)
    sum = 1 + sum * x / k;
  return sum / first;
}

double elementary_exp(double x) {
  if (isnan(x))
    return x;
  if (x > 709.78)
    return (double)INFINITY;
  if (x < -745.2)
    return 0;
  const int k = (int)(x * PER_LN2 + (x < 0 ? -0.5 : 0.5));
  const double r = (x - k * LN2_HIGH) - k * LN2_LOW;
  const double e = 1 + r * factorial_series(r, 1, 13);
  return e * power_of_2(k / 2) * power_of_2(k - k / 2);
}

double elementary_exprel(double x) {
  return fabs(x) <= 0.5 ? factorial_series(x, 1, 15) : (elementary_exp(x) - 1) / x;
}

/* With s = f / (2 + f): ln(1 + f) = 2 s + 2 s^3/3 + 2 s^5/5 + ..., |s| <= 0.172. */
double elementary_log(double x) {
  if (!(x > 0))
    return x == 0 ? -(double)INFINITY : (double)NAN;
  if (isinf(x))
    return x;
  int k = 0;
  double m = 2 * frexp(x, &k); /* exact, in [1, 2) */
  k--;
  if (m > SQRT2) {
    m *= 0.5;
    k++;
  }
  const double f = m - 1, s = f / (2 + f), z = s * s, half = 0.5 * f * f;
  double rest = 0;
  for (int n = 12; n >= 1; n--)
    rest = (rest + 2.0 / (2 * n + 1)) * z;
  return k * LN2_HIGH + (f - (half - (s * (half + rest) + k * LN2_LOW)));
}

double elementary_cbrt(double x) {
  double y = elementary_exp(elementary_log(x) / 3);
  return y - (y * y * y - x) / (3 * y * y);
}

void elementary_sincos(double u, double *sine, double *cosine) {
  const int quarter = (int)(4 * u + 0.5);
  const double t = TWO_PI * (u - 0.25 * quarter), z = -t * t;
  double s = 1, c = 1;
  for (int n = 16; n >= 2; n -= 2) {
    s = 1 + s * z / (n * (n + 1));
    c = 1 + c * z / (n * (n - 1));
  }
  s *= t;
  *sine = quarter % 4 == 0 ? s : quarter % 4 == 1 ? c : quarter % 4 == 2 ? -s : -c;
  *cosine = quarter % 4 == 0 ? c : quarter % 4 == 1 ? -s : quarter % 4 == 2 ? -c : s;
}
