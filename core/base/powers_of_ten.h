/* Powers of ten to 128 bits, from which decimals are read and written. */
#ifndef CORE_BASE_POWERS_OF_TEN_H
#define CORE_BASE_POWERS_OF_TEN_H

#include <stdint.h>

/* Those that a double of 19 digits can need. */
#define POWERS_OF_TEN_MIN (-342)
#define POWERS_OF_TEN_MAX 324

/* Those that 128 bits hold exactly. */
#define POWERS_OF_TEN_EXACT_MAX 55

/* g = high 2^64 + low is the smallest integer >= 10^q 2^-s, where s = floor(log2(10^q)) - 127 makes
 * 2^127 <= g < 2^128. It is 10^q 2^-s for 0 <= q <= POWERS_OF_TEN_EXACT_MAX, and more elsewhere. */
struct power_of_ten {
  uint64_t high, low;
};

/* Of q at [q - POWERS_OF_TEN_MIN]. */
extern const struct power_of_ten powers_of_ten[POWERS_OF_TEN_MAX - POWERS_OF_TEN_MIN + 1];

/* floor(log2(10^q)), for |q| <= 1233. */
static inline int32_t power_of_ten_log2(int32_t q) {
  return q * 1741647 >> 19;
}

#endif
