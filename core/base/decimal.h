/* Decimal text to double, correctly rounded in any locale.
 *
 * Most numbers take one or two multiplications: Clinger, "How to read floating point numbers
 * accurately" (PLDI 1990), where digits and power are exact, and Lemire, "Number parsing at a
 * gigabyte per second" (Software: Practice and Experience 51, 2021) elsewhere. strtod reads what
 * those leave undecided. */
#ifndef CORE_BASE_DECIMAL_H
#define CORE_BASE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

/* A number in the grammar of RFC 8259, taken apart. */
struct decimal {
  const char *begin, *end; /* its text */
  uint64_t digits;         /* the first 19 significant ones at most */
  int64_t exponent;        /* the number is digits 10^exponent, without the rest */
  bool negative;
  bool has_rest; /* more digits than 19, the rest, follow */
};

/* Takes the number that begins at `at` apart. false: it is not written as JSON writes numbers; then
 * decimal->end is where it departs. Never reads at `end`. */
bool decimal_scan(const char *at, const char *end, struct decimal *decimal);

/* The double nearest to a scanned number, of two the one with an even significand; infinite when
 * it is too large. The text must still be there. Thread-safe. */
double decimal_value(const struct decimal *decimal);

#endif
