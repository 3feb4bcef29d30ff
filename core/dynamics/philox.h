/* Philox4x32-10, a random number generator that is a function of a counter and a key.
 *
 * J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers: as easy as 1, 2, 3.
 * SC '11, https://doi.org/10.1145/2063384.2063405. Ten rounds of
 *
 *   (c0, c1, c2, c3) -> (high(M1 c2) ^ c1 ^ k0, low(M1 c2), high(M0 c0) ^ c3 ^ k1, low(M0 c0))
 *
 * with a key that grows by a constant after each. */
#ifndef CORE_DYNAMICS_PHILOX_H
#define CORE_DYNAMICS_PHILOX_H

#include <stdint.h>

/* 128 bits that look random, the same for the same counter and key. Thread-safe. */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
