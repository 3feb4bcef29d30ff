#include "core/dynamics/philox.h"

#include <string.h>

#define ROUNDS 10
#define M0 UINT64_C(0xD2511F53)
#define M1 UINT64_C(0xCD9E8D57)
#define W0 UINT32_C(0x9E3779B9) /* the golden ratio */
#define W1 UINT32_C(0xBB67AE85) /* the square root of 3, less 1 */

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c[4], k0 = key[0], k1 = key[1];
  memcpy(c, counter, sizeof c);
  for (int round = 0; round < ROUNDS; round++) {
    const uint64_t p0 = M0 * c[0], p1 = M1 * c[2];
    const uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                              (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
    memcpy(c, next, sizeof c);
    k0 += W0;
    k1 += W1;
  }
  memcpy(out, c, sizeof c);
}
