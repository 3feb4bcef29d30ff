#include "core/base/powers_of_ten.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* Integers of up to 1024 bits, the lowest part first. */
#define PARTS 32

struct big {
  uint32_t part[PARTS];
};

static struct big big_of(struct power_of_ten g) {
  return (struct big){
      {(uint32_t)g.low, (uint32_t)(g.low >> 32), (uint32_t)g.high, (uint32_t)(g.high >> 32)}};
}

static void times_five(struct big *big) {
  uint64_t carry = 0;
  for (size_t i = 0; i < PARTS; i++) {
    carry += (uint64_t)big->part[i] * 5;
    big->part[i] = (uint32_t)carry;
    carry >>= 32;
  }
  assert_int_equal(carry, 0);
}

static struct big five_to_the(int32_t n) {
  struct big big = {{1}};
  for (; n > 0; n--)
    times_five(&big);
  return big;
}

static int32_t bits_of(const struct big *big) {
  int32_t i = PARTS;
  while (i > 0 && big->part[i - 1] == 0)
    i--;
  return i == 0 ? 0 : 32 * i - __builtin_clz(big->part[i - 1]);
}

static struct big times(const struct big *a, const struct big *b) {
  struct big product = {{0}};
  for (size_t i = 0; i < PARTS; i++) {
    uint64_t carry = 0;
    for (size_t k = 0; i + k < PARTS; k++) {
      carry += product.part[i + k] + (uint64_t)a->part[i] * b->part[k];
      product.part[i + k] = (uint32_t)carry;
      carry >>= 32;
    }
    assert_int_equal(carry, 0);
  }
  return product;
}

static struct big shifted(const struct big *big, int32_t left) {
  struct big result = {{0}};
  for (int32_t bit = 0; bit < 32 * PARTS; bit++)
    if (big->part[bit / 32] >> bit % 32 & 1) {
      assert_in_range(bit + left, 0, 32 * PARTS - 1);
      result.part[(bit + left) / 32] |= UINT32_C(1) << (bit + left) % 32;
    }
  return result;
}

static int compare(const struct big *a, const struct big *b) {
  for (size_t i = PARTS; i-- > 0;)
    if (a->part[i] != b->part[i])
      return a->part[i] < b->part[i] ? -1 : 1;
  return 0;
}

static struct power_of_ten one_less(struct power_of_ten g) {
  return (struct power_of_ten){.high = g.high - (g.low == 0), .low = g.low - 1};
}

/* 5^q has the bits of 10^q; g and 5^q are compared by shifts of both to whole numbers. */
static void test_powers(void **state) {
  (void)state;
  for (int32_t q = 0; q <= POWERS_OF_TEN_MAX; q++) {
    const struct power_of_ten g = powers_of_ten[q - POWERS_OF_TEN_MIN];
    const struct big power = five_to_the(q);
    const int32_t shift = bits_of(&power) - 128;
    const struct big whole = shift < 0 ? shifted(&power, -shift) : power;
    struct big above = big_of(g), below = big_of(one_less(g));
    above = shifted(&above, shift > 0 ? shift : 0);
    below = shifted(&below, shift > 0 ? shift : 0);
    assert_true(g.high >> 63);
    assert_int_equal(compare(&above, &whole), q <= POWERS_OF_TEN_EXACT_MAX ? 0 : 1);
    assert_int_equal(compare(&below, &whole), -1);
  }
}

/* The reciprocal of 5^n, times a power of two. */
static void test_reciprocals(void **state) {
  (void)state;
  for (int32_t q = POWERS_OF_TEN_MIN; q < 0; q++) {
    const struct power_of_ten g = powers_of_ten[q - POWERS_OF_TEN_MIN];
    const struct big power = five_to_the(-q), one = {{1}};
    const struct big whole = shifted(&one, bits_of(&power) + 127);
    struct big above = big_of(g), below = big_of(one_less(g));
    above = times(&above, &power);
    below = times(&below, &power);
    assert_true(g.high >> 63);
    assert_int_equal(compare(&above, &whole), 1);
    assert_int_equal(compare(&below, &whole), -1);
  }
}

static void test_logarithms(void **state) {
  (void)state;
  for (int32_t q = 0; q <= POWERS_OF_TEN_MAX; q++) {
    const struct big power = five_to_the(q);
    assert_int_equal(power_of_ten_log2(q), bits_of(&power) - 1 + q);
    if (q > 0)
      assert_int_equal(power_of_ten_log2(-q), -bits_of(&power) - q);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_powers),
      cmocka_unit_test(test_reciprocals),
      cmocka_unit_test(test_logarithms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
