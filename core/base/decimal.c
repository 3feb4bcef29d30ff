#include "core/base/decimal.h"

#include "core/base/powers_of_ten.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What 64 bits hold for certain. */
#define DIGITS_MAX 19

/* No text is long enough to make up for an exponent beyond it. */
#define EXPONENT_MAX (INT64_C(1) << 56)

/* Taking apart */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Eight digits at once, where eight follow. Little-endian; elsewhere they are read one by one. */
static bool eight_digits(const char *at, const char *end, uint64_t *value) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint64_t v;
  if (end - at < 8)
    return false;
  memcpy(&v, at, sizeof v);
  if (((v & 0xf0f0f0f0f0f0f0f0) | ((v + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4) !=
      0x3333333333333333)
    return false;
  v -= 0x3030303030303030;
  v = v * 10 + (v >> 8); /* pairs of digits in every second byte */
  *value = ((v & 0x000000ff000000ff) * 0x000f424000000064 +
            (v >> 16 & 0x000000ff000000ff) * 0x0000271000000001) >>
           32;
  return true;
#else
  (void)at, (void)end, (void)value;
  return false;
#endif
}

/* Appends the digits at `at` to a number, which wraps around when they are many. */
static const char *take_digits(const char *at, const char *end, uint64_t *digits) {
  for (uint64_t eight; eight_digits(at, end, &eight); at += 8)
    *digits = *digits * 100000000 + eight;
  for (; at < end && is_digit(*at); at++)
    *digits = *digits * 10 + (uint64_t)(*at - '0');
  return at;
}

/* Adds the exponent that the 'e' or 'E' at *at begins, and stands behind it. false: without
 * digits. */
static bool take_exponent(const char **at, const char *end, int64_t *exponent) {
  const char *p = *at + 1;
  const bool negative = p < end && *p == '-';
  int64_t value = 0;
  if (p < end && (*p == '-' || *p == '+'))
    p++;
  const char *first = p;
  for (; p < end && is_digit(*p); p++)
    if (value < EXPONENT_MAX)
      value = value * 10 + (*p - '0');
  *at = p;
  *exponent += negative ? -value : value;
  return p > first;
}

/* The first DIGITS_MAX significant digits of a number that may have more, whose digits and point
 * end at `end`; exponent is that of its last digit. */
static void take_first_digits(struct decimal *d, const char *end) {
  const char *at = d->begin;
  size_t n = 0, n_rest = 0;
  while (at < end && (*at == '-' || *at == '0' || *at == '.'))
    at++;
  d->digits = 0;
  for (; at < end; at++) {
    if (*at == '.')
      continue;
    if (n < DIGITS_MAX) {
      d->digits = d->digits * 10 + (uint64_t)(*at - '0');
      n++;
    } else {
      n_rest++;
    }
  }
  d->has_rest = n_rest > 0;
  d->exponent += (int64_t)n_rest;
}

bool decimal_scan(const char *at, const char *end, struct decimal *d) {
  *d = (struct decimal){.begin = at, .negative = at < end && *at == '-'};
  const char *first = at + d->negative;
  at = take_digits(first, end, &d->digits);
  ptrdiff_t n = at - first;
  bool ok = n == 1 || (n > 1 && *first != '0');
  if (ok && at < end && *at == '.') {
    const char *point = at;
    at = take_digits(point + 1, end, &d->digits);
    d->exponent = point + 1 - at;
    n -= d->exponent;
    ok = d->exponent < 0;
  }
  const char *digits_end = at;
  if (ok && at < end && (*at == 'e' || *at == 'E'))
    ok = take_exponent(&at, end, &d->exponent);
  d->end = at;
  if (ok && n > DIGITS_MAX)
    take_first_digits(d, digits_end);
  return ok;
}

/* Values */

/* No point halfway between two doubles has more significant digits than 768. */
#define STRTOD_DIGITS 768

/* As strtod has it, of a text without a point, which locales disagree on. A digit 1 stands for all
 * of the rest, if any of that is not 0. */
static double value_by_strtod(const struct decimal *d) {
  char text[STRTOD_DIGITS + 32];
  size_t n = 0;
  bool has_more = false;
  int64_t exponent = 0, behind = 0;
  const char *at = d->begin + d->negative, *point = NULL;
  for (; at < d->end && *at != 'e' && *at != 'E'; at++) {
    if (*at == '.') {
      point = at;
    } else if (n < STRTOD_DIGITS) {
      if (n > 0 || *at != '0')
        text[n++] = *at;
    } else {
      behind++;
      has_more = has_more || *at != '0';
    }
  }
  const char *digits_end = at;
  if (at < d->end)
    (void)take_exponent(&at, d->end, &exponent);
  exponent += behind - (point ? digits_end - point - 1 : 0);
  if (has_more) {
    text[n++] = '1';
    exponent--;
  }
  /* Beyond these, STRTOD_DIGITS digits give infinity, or 0. */
  exponent = exponent > 400 ? 400 : exponent < -2000 ? -2000 : exponent;
  text[n++] = 'e';
  text[n++] = exponent < 0 ? '-' : '+';
  const int64_t size = exponent < 0 ? -exponent : exponent;
  for (int64_t unit = 1000; unit > 0; unit /= 10)
    text[n++] = (char)('0' + size / unit % 10);
  text[n] = '\0';
  return strtod(text, NULL);
}

static double double_of_bits(uint64_t significand, int32_t biased_exponent) {
  const uint64_t bits = significand | (uint64_t)biased_exponent << 52;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

__extension__ typedef unsigned __int128 uint128;

/* digits 10^q to 128 bits, the digits' leading one at bit 63; the error is below one unit of the
 * last bit unless the last 64 are all ones. */
static uint128 product(uint64_t digits, int32_t q) {
  const struct power_of_ten *power = &powers_of_ten[q - POWERS_OF_TEN_MIN];
  /* Rounded down, but for reciprocals by which division can be exact (Lemire, section 5). */
  const bool down = q < -27 || q > POWERS_OF_TEN_EXACT_MAX;
  const uint64_t low = power->low - down, high = power->high - (down && power->low == 0);
  uint128 first = (uint128)digits * high;
  if (((uint64_t)(first >> 64) & 0x1ff) == 0x1ff)
    first += (uint128)digits * low >> 64;
  return first;
}

/* Lemire's algorithm for digits != 0. false: it does not decide. */
static bool value_by_product(uint64_t digits, int64_t exponent, double *value) {
  if (exponent < POWERS_OF_TEN_MIN || exponent > 308) {
    *value = exponent < 0 ? 0 : (double)INFINITY;
    return true;
  }
  const int32_t q = (int32_t)exponent, zeros = __builtin_clzll(digits);
  const uint128 p = product(digits << zeros, q);
  const uint64_t high = (uint64_t)(p >> 64), low = (uint64_t)p;
  if (low == UINT64_MAX && (q < -27 || q > POWERS_OF_TEN_EXACT_MAX))
    return false;
  const int32_t top = (int32_t)(high >> 63), shift = top + 9;
  uint64_t significand = high >> shift; /* of 54 bits: one more than a double has */
  int32_t biased = power_of_ten_log2(q) + 63 + top - zeros + 1023;
  if (biased <= 0) {
    significand = biased <= -63 ? 0 : significand >> (1 - biased);
    significand = (significand + (significand & 1)) >> 1;
    *value = double_of_bits(significand, 0); /* a carry makes the exponent 1 */
    return true;
  }
  /* Halfway between two doubles, exactly: to even. */
  if (low <= 1 && q >= -4 && q <= 23 && (significand & 3) == 1 && significand << shift == high)
    significand--;
  significand = (significand + (significand & 1)) >> 1;
  if (significand >> 53) {
    significand >>= 1;
    biased++;
  }
  *value = biased >= 0x7ff ? (double)INFINITY
                           : double_of_bits(significand & ((UINT64_C(1) << 52) - 1), biased);
  return true;
}

/* Powers of ten that are exact doubles; digits below 2^53 are. */
static bool value_by_double(const struct decimal *d, double *value) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (d->has_rest || d->digits >> 53 || d->exponent < -22 || d->exponent > 22)
    return false;
  *value = d->exponent < 0 ? (double)d->digits / powers[-d->exponent]
                           : (double)d->digits * powers[d->exponent];
  return true;
}

double decimal_value(const struct decimal *d) {
  double value = 0, above = 0;
  if (!value_by_double(d, &value) && d->digits != 0) {
    bool decided = value_by_product(d->digits, d->exponent, &value);
    if (decided && d->has_rest)
      decided = value_by_product(d->digits + 1, d->exponent, &above) && above == value;
    if (!decided)
      value = value_by_strtod(d);
  }
  return d->negative ? -value : value;
}
