#include "core/base/shortest.h"

#include "core/base/powers_of_ten.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SIGNIFICAND_BITS 52
#define HIDDEN_BIT (UINT64_C(1) << SIGNIFICAND_BITS)

/* The exponent of the smallest doubles, whose significand is a whole number. */
#define EXPONENT_MIN (-1074)

/* The digits of a double, at most. */
#define DIGITS_MAX 17

__extension__ typedef unsigned __int128 uint128;

/* digits 10^exponent */
struct decimal_form {
  uint64_t digits;
  int32_t exponent;
};

/* g x 2^-128 rounded down, but with a lowest bit that says whether there was a rest. */
static uint64_t round_to_odd(const struct power_of_ten *g, uint64_t x) {
  const uint128 low = (uint128)g->low * x;
  const uint128 high = (uint128)g->high * x + (uint64_t)(low >> 64);
  return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The shortest form of c 2^q. at_power: c is a power of two, so that the double below is nearer
 * than the one above. Its digits may end in zeros. */
static struct decimal_form shorten(uint64_t c, int32_t q, bool at_power) {
  const bool even = c % 2 == 0;
  /* floor(log10(2^q)), or of 3/4 2^q: the interval of numbers that round to c 2^q is as wide. */
  const int32_t k = (q * 1262611 - (at_power ? 524031 : 0)) >> 22;
  const int32_t h = q + power_of_ten_log2(-k) + 1;
  const struct power_of_ten *g = &powers_of_ten[-k - POWERS_OF_TEN_MIN];
  /* Four times the ends of the interval and the number itself, in units of 10^k. */
  const uint64_t below = round_to_odd(g, (4 * c - 2 + at_power) << h);
  const uint64_t exact = round_to_odd(g, 4 * c << h);
  const uint64_t above = round_to_odd(g, (4 * c + 2) << h);
  const uint64_t lower = below + !even, upper = above - !even;
  const uint64_t s = exact / 4, tens = s / 10;
  /* Is just one of the two multiples of 10 beside it in the interval? */
  if (s >= 10) {
    const bool down = lower <= 40 * tens, up = 40 * tens + 40 <= upper;
    if (down != up)
      return (struct decimal_form){tens + up, k + 1};
  }
  const bool down = lower <= 4 * s, up = 4 * s + 4 <= upper;
  if (down != up)
    return (struct decimal_form){s + up, k};
  const uint64_t middle = 4 * s + 2;
  const bool round_up = exact > middle || (exact == middle && s % 2 == 1);
  return (struct decimal_form){s + round_up, k};
}

static struct decimal_form form_of(uint64_t bits) {
  const uint64_t significand = bits & (HIDDEN_BIT - 1);
  const int32_t biased = (int32_t)(bits >> SIGNIFICAND_BITS & 0x7ff);
  const uint64_t c = biased > 0 ? significand | HIDDEN_BIT : significand;
  const int32_t q = (biased > 0 ? biased - 1 : 0) + EXPONENT_MIN;
  struct decimal_form form;
  if (q <= 0 && q >= -SIGNIFICAND_BITS && (c & ((UINT64_C(1) << -q) - 1)) == 0)
    form = (struct decimal_form){c >> -q, 0}; /* an integer below 2^53 is exact */
  else
    form = shorten(c, q, significand == 0 && biased > 1);
  while (form.digits % 10 == 0) {
    form.digits /= 10;
    form.exponent++;
  }
  return form;
}

/* Writes a number without leading zeros; returns how many digits it has. */
static size_t write_whole(char digits[DIGITS_MAX], uint64_t number) {
  char reversed[DIGITS_MAX + 1];
  size_t at = sizeof reversed;
  for (; number >= 10; number /= 100) {
    const uint64_t pair = number % 100;
    reversed[--at] = (char)('0' + pair % 10);
    reversed[--at] = (char)('0' + pair / 10);
  }
  if (number > 0)
    reversed[--at] = (char)('0' + number);
  memcpy(digits, reversed + at, sizeof reversed - at);
  return sizeof reversed - at;
}

/* The size of d.ddde-dd. */
static size_t scientific_size(size_t n, int32_t exponent) {
  return n + (n > 1) + (exponent <= -100 || exponent >= 100 ? 5 : 4);
}

/* d.ddde-dd, of n digits. */
static size_t write_scientific(char *out, const char *digits, size_t n, int32_t exponent) {
  const uint64_t size = (uint64_t)(exponent < 0 ? -exponent : exponent);
  char *at = out;
  *at++ = digits[0];
  if (n > 1) {
    *at++ = '.';
    memcpy(at, digits + 1, n - 1);
    at += n - 1;
  }
  *at++ = 'e';
  *at++ = exponent < 0 ? '-' : '+';
  if (size >= 100)
    *at++ = (char)('0' + size / 100);
  *at++ = (char)('0' + size / 10 % 10);
  *at++ = (char)('0' + size % 10);
  return (size_t)(at - out);
}

/* point: how many of the digits are before the point; below 1, zeros are behind it. */
static size_t fixed_size(size_t n, int32_t point) {
  if (point <= 0)
    return 2 + (size_t)-point + n;
  return (size_t)point >= n ? (size_t)point : n + 1;
}

static size_t write_fixed(char *out, const char *digits, size_t n, int32_t point) {
  const size_t size = fixed_size(n, point);
  if (point <= 0) {
    memset(out, '0', size - n);
    out[1] = '.';
    memcpy(out + size - n, digits, n);
  } else if ((size_t)point >= n) {
    memcpy(out, digits, n);
    memset(out + n, '0', size - n);
  } else {
    memcpy(out, digits, (size_t)point);
    out[point] = '.';
    memcpy(out + point + 1, digits + point, n - (size_t)point);
  }
  return size;
}

size_t shortest_double(char text[SHORTEST_MAX], double number) {
  char digits[DIGITS_MAX];
  uint64_t bits;
  size_t size = 0;
  memcpy(&bits, &number, sizeof bits);
  if (bits >> 63)
    text[size++] = '-';
  bits &= INT64_MAX;
  if (bits == 0) {
    text[size++] = '0';
    return size;
  }
  const struct decimal_form form = form_of(bits);
  const size_t n = write_whole(digits, form.digits);
  const int32_t point = (int32_t)n + form.exponent;
  const bool fixed = fixed_size(n, point) <= scientific_size(n, point - 1);
  return size + (fixed ? write_fixed(text + size, digits, n, point)
                       : write_scientific(text + size, digits, n, point - 1));
}
