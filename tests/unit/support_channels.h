/* A row of two groups of channels, each padded to whole vectors: 37, and 20 behind them. */
#ifndef TESTS_UNIT_SUPPORT_CHANNELS_H
#define TESTS_UNIT_SUPPORT_CHANNELS_H

#include "tests/unit/support_kernels.h"

#define DIM 96
#define N_FIRST 37
#define N_SECOND 20
#define N_CHANNELS (N_FIRST + N_SECOND)

static inline bool is_padding(size_t i) {
  return (i >= N_FIRST && i < 48) || i >= 48 + N_SECOND;
}

#endif
