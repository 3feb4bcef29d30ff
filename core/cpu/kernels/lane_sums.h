/* The sums of the lanes of several vectors at once. */
#ifndef CORE_CPU_KERNELS_LANE_SUMS_H
#define CORE_CPU_KERNELS_LANE_SUMS_H

#include "core/base/real.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define LANE_SHUFFLES
#endif
#endif

#if defined(LANE_SHUFFLES)
/* Of two vectors of groups of lanes: the sums of each group's halves, those of a group of `a`
 * before those of the group of `b`. */
#define HALVES(a, b, low, high)                                                                    \
  (__builtin_shufflevector(a, b, low) + __builtin_shufflevector(a, b, high))
#if VECTOR_LANES == 16
#define LOW_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define LOW_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#elif VECTOR_LANES == 8
#define LOW_4 0, 1, 2, 3, 8, 9, 10, 11
#define HIGH_4 4, 5, 6, 7, 12, 13, 14, 15
#define LOW_2 0, 1, 8, 9, 4, 5, 12, 13
#define HIGH_2 2, 3, 10, 11, 6, 7, 14, 15
#define LOW_1 0, 8, 2, 10, 4, 12, 6, 14
#define HIGH_1 1, 9, 3, 11, 5, 13, 7, 15
#elif VECTOR_LANES == 4
#define LOW_2 0, 1, 4, 5
#define HIGH_2 2, 3, 6, 7
#define LOW_1 0, 4, 2, 6
#define HIGH_1 1, 5, 3, 7
#else
#define LOW_1 0, 2
#define HIGH_1 1, 3
#endif
#endif

/* Returns vec_sum of v[0], v[stride], ..., one in each lane, with the same bits. */
static inline vec lane_sums(const vec *v, size_t stride) {
#if defined(LANE_SHUFFLES)
  vec sums[VECTOR_LANES];
#pragma GCC unroll 16
  for (size_t i = 0; i < VECTOR_LANES; i++)
    sums[i] = v[i * stride];
#if VECTOR_LANES >= 16
#pragma GCC unroll 8
  for (size_t i = 0; i < 8; i++)
    sums[i] = HALVES(sums[i], sums[i + 8], LOW_8, HIGH_8);
#endif
#if VECTOR_LANES >= 8
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; i++)
    sums[i] = HALVES(sums[i], sums[i + 4], LOW_4, HIGH_4);
#endif
#if VECTOR_LANES >= 4
#pragma GCC unroll 2
  for (size_t i = 0; i < 2; i++)
    sums[i] = HALVES(sums[i], sums[i + 2], LOW_2, HIGH_2);
#endif
  return HALVES(sums[0], sums[1], LOW_1, HIGH_1);
#else
  vec sums;
  for (size_t i = 0; i < VECTOR_LANES; i++)
    sums[i] = vec_sum(v[i * stride]);
  return sums;
#endif
}

#endif
