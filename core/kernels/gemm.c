#include "core/kernels/gemm.h"

#include "irrep/conventions.h"

/* Vectors of a panel, and rows of a register block: their product and one panel row of vectors fit
 * the register file (32 registers with AVX-512, 16 before). */
#define PANEL_VECTORS (IRREP_LANES / VECTOR_LANES)
#if VECTOR_BYTES == 64
#define BLOCK_ROWS (24 / PANEL_VECTORS < 12 ? 24 / PANEL_VECTORS : 12)
#else
#define BLOCK_ROWS (PANEL_VECTORS >= 8 ? 1 : 12 / PANEL_VECTORS)
#endif

/* Multiply-adds of one chain. A long sum is made of such chains, each from zero, added up in order:
 * in float32 that is four times closer to the exact product than one chain of 384. */
#define CHAIN 32

/* n_rows is a constant at every call, so that the accumulators live in registers. */
static inline __attribute__((always_inline)) void chain(const size_t n_rows, size_t n_k,
                                                        const real *in, size_t in_stride,
                                                        const real *panel, real *out,
                                                        size_t out_stride, bool accumulate) {
  vec sum[BLOCK_ROWS][PANEL_VECTORS] = {0};
  for (size_t k = 0; k < n_k; k++) {
    vec w[PANEL_VECTORS];
#pragma GCC unroll 8
    for (size_t v = 0; v < PANEL_VECTORS; v++)
      w[v] = vec_load(panel + k * IRREP_LANES + v * VECTOR_LANES);
#pragma GCC unroll 12
    for (size_t r = 0; r < n_rows; r++) {
      const real a = in[r * in_stride + k];
#pragma GCC unroll 8
      for (size_t v = 0; v < PANEL_VECTORS; v++)
        sum[r][v] += a * w[v];
    }
  }
#pragma GCC unroll 12
  for (size_t r = 0; r < n_rows; r++)
#pragma GCC unroll 8
    for (size_t v = 0; v < PANEL_VECTORS; v++) {
      real *o = out + r * out_stride + v * VECTOR_LANES;
      if (accumulate)
        sum[r][v] += vec_load(o);
      vec_store(o, sum[r][v]);
    }
}

/* All of k for a block of rows and one panel of columns. */
static inline __attribute__((always_inline)) void block(const size_t n_rows, size_t n_k,
                                                        const real *in, size_t in_stride,
                                                        const real *panel, real *out,
                                                        size_t out_stride, bool accumulate) {
  size_t k = 0;
  do {
    const size_t n = n_k - k < CHAIN ? n_k - k : CHAIN;
    chain(n_rows, n, in + k, in_stride, panel + k * IRREP_LANES, out, out_stride,
          accumulate || k > 0);
    k += n;
  } while (k < n_k);
}

void KERNEL(gemm)(size_t n_rows, size_t n_columns, size_t n_k, const real *in, size_t in_stride,
                  const real *packed, real *out, size_t out_stride, bool accumulate) {
  for (size_t n = 0; n < n_columns; n += IRREP_LANES) {
    const real *panel = packed + n * n_k;
    size_t r = 0;
    for (; r + BLOCK_ROWS <= n_rows; r += BLOCK_ROWS)
      block(BLOCK_ROWS, n_k, in + r * in_stride, in_stride, panel, out + r * out_stride + n,
            out_stride, accumulate);
    for (; r + BLOCK_ROWS / 3 <= n_rows && BLOCK_ROWS >= 3; r += BLOCK_ROWS / 3)
      block(BLOCK_ROWS / 3, n_k, in + r * in_stride, in_stride, panel, out + r * out_stride + n,
            out_stride, accumulate);
    for (; r < n_rows; r++)
      block(1, n_k, in + r * in_stride, in_stride, panel, out + r * out_stride + n, out_stride,
            accumulate);
  }
}
