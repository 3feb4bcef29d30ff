#include "core/dynamics/random.h"

#include "core/dynamics/elementary.h"
#include "core/dynamics/philox.h"

#include <math.h>
#include <stdbool.h>

/* More than one in 2^100 sums of squares would want. */
#define ATTEMPTS_MAX 64

static void bits_of(const struct random *random, uint32_t draw, uint32_t out[4]) {
  const uint32_t key[2] = {(uint32_t)random->seed, (uint32_t)(random->seed >> 32)};
  const uint32_t counter[4] = {(uint32_t)random->step,
                               (uint32_t)(random->step >> 32 & 0xffff) |
                                   (uint32_t)random->use << 16 | draw << 24,
                               random->index, random->structure};
  philox4x32(counter, key, out);
}

/* The upper 53 bits of two words. */
static uint64_t bits53(const uint32_t words[2]) {
  return ((uint64_t)words[1] << 32 | words[0]) >> 11;
}

/* Two normal variates of four words. */
static void box_muller(const uint32_t words[4], double out[2]) {
  const double radius = sqrt(-2 * elementary_log((double)(bits53(words) + 1) * 0x1p-53));
  double sine, cosine;
  elementary_sincos((double)bits53(words + 2) * 0x1p-53, &sine, &cosine);
  out[0] = radius * cosine;
  out[1] = radius * sine;
}

void random_normals(const struct random *random, double out[4]) {
  uint32_t words[4];
  for (uint32_t draw = 0; draw < 2; draw++) {
    bits_of(random, draw, words);
    box_muller(words, out + 2 * draw);
  }
}

/* A gamma variate of shape a >= 1, scale 1: x normal, v = (1 + c x)^3 with d = a - 1/3 and
 * c = 1 / sqrt(9 d); d v is accepted if ln u < x^2/2 + d - d v + d ln v. */
static double gamma_variate(struct random random, double a) {
  const double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);
  for (random.index = 0; random.index < ATTEMPTS_MAX; random.index++) {
    uint32_t words[4];
    double x[2];
    bits_of(&random, 0, words);
    box_muller(words, x);
    bits_of(&random, 1, words);
    const double u = (double)(bits53(words) + 1) * 0x1p-53, root = 1 + c * x[0];
    const double v = root * root * root;
    if (root > 0 && elementary_log(u) < 0.5 * x[0] * x[0] + d - d * v + d * elementary_log(v))
      return d * v;
  }
  return a;
}

double random_chi_square(const struct random *random, uint64_t n) {
  struct random first = *random;
  double x[4];
  first.index = 0;
  if (n == 0)
    return 0;
  if (n > 1)
    return 2 * gamma_variate(first, 0.5 * (double)n);
  random_normals(&first, x);
  return x[0] * x[0];
}
