/* out[r][n] (+)= sum over k of in[r][k] W[k][n] for n_rows rows of a tile, W [n_k][n_columns]
 * packed in panels of IRREP_LANES columns: a register block of rows by panels, k innermost, in
 * chains. */
#include "core/cpu/kernels/gemm.h"

#include "irrep/conventions.h"

/* Vectors of a panel; of the panels that are gone through together; and rows of a register block:
 * their product and one row of vectors fit the register file (32 registers with AVX-512, 16
 * before). Two vectors at least share what is loaded of a row, and are independent enough to keep
 * the multipliers busy in blocks of few rows. */
#define PANEL_VECTORS (IRREP_LANES / VECTOR_LANES)
#define PANELS (PANEL_VECTORS == 1 ? 2 : 1)
#define BLOCK_VECTORS (PANELS * PANEL_VECTORS)
#if VECTOR_BYTES == 64
#define BLOCK_ROWS 12
#else
#define BLOCK_ROWS (BLOCK_VECTORS >= 8 ? 1 : 12 / BLOCK_VECTORS)
#endif

/* Multiply-adds of one chain. A long sum is made of such chains, each from zero, added up in order:
 * in float32 that is four times closer to the exact product than one chain of 384. */
#define CHAIN 32

/* A register block: n_rows of the input, and n_panels of the matrix, each [n_k][IRREP_LANES] and
 * `stride` reals behind the one before. n_rows and n_panels are constants at every call, so that
 * the accumulators live in registers. */
struct panels {
  const real *first;
  size_t stride;
};

static inline __attribute__((always_inline)) void
chain(const size_t n_rows, const size_t n_panels, size_t n_k, const real *in, size_t in_stride,
      struct panels panels, real *out, size_t out_stride, bool accumulate) {
  const size_t n_vectors = n_panels * PANEL_VECTORS;
  vec sum[BLOCK_ROWS][BLOCK_VECTORS] = {0};
  for (size_t k = 0; k < n_k; k++) {
    vec w[BLOCK_VECTORS];
#pragma GCC unroll 8
    for (size_t v = 0; v < n_vectors; v++)
      w[v] = vec_load(panels.first + v / PANEL_VECTORS * panels.stride + k * IRREP_LANES +
                      v % PANEL_VECTORS * VECTOR_LANES);
#pragma GCC unroll 12
    for (size_t r = 0; r < n_rows; r++) {
      const real a = in[r * in_stride + k];
#pragma GCC unroll 8
      for (size_t v = 0; v < n_vectors; v++)
        sum[r][v] += a * w[v];
    }
  }
#pragma GCC unroll 12
  for (size_t r = 0; r < n_rows; r++)
#pragma GCC unroll 8
    for (size_t v = 0; v < n_vectors; v++) {
      real *o = out + r * out_stride + v * VECTOR_LANES;
      if (accumulate)
        sum[r][v] += vec_load(o);
      vec_store(o, sum[r][v]);
    }
}

/* All of k for a register block. */
static inline __attribute__((always_inline)) void
block(const size_t n_rows, const size_t n_panels, size_t n_k, const real *in, size_t in_stride,
      const real *panels, real *out, size_t out_stride, bool accumulate) {
  size_t k = 0;
  do {
    const size_t n = n_k - k < CHAIN ? n_k - k : CHAIN;
    const struct panels from = {panels + k * IRREP_LANES, n_k * IRREP_LANES};
    chain(n_rows, n_panels, n, in + k, in_stride, from, out, out_stride, accumulate || k > 0);
    k += n;
  } while (k < n_k);
}

/* All rows for some panels. */
static inline __attribute__((always_inline)) void
columns(size_t n_rows, const size_t n_panels, size_t n_k, const real *in, size_t in_stride,
        const real *panels, real *out, size_t out_stride, bool accumulate) {
  size_t r = 0;
  for (; r + BLOCK_ROWS <= n_rows; r += BLOCK_ROWS)
    block(BLOCK_ROWS, n_panels, n_k, in + r * in_stride, in_stride, panels, out + r * out_stride,
          out_stride, accumulate);
  for (; r + BLOCK_ROWS / 3 <= n_rows && BLOCK_ROWS >= 3; r += BLOCK_ROWS / 3)
    block(BLOCK_ROWS / 3, n_panels, n_k, in + r * in_stride, in_stride, panels,
          out + r * out_stride, out_stride, accumulate);
  for (; r < n_rows; r++)
    block(1, n_panels, n_k, in + r * in_stride, in_stride, panels, out + r * out_stride, out_stride,
          accumulate);
}

void KERNEL(gemm)(size_t n_rows, size_t n_columns, size_t n_k, const real *in, size_t in_stride,
                  const real *packed, real *out, size_t out_stride, bool accumulate) {
  size_t n = 0;
  for (; n + (PANELS - 1) * IRREP_LANES < n_columns; n += PANELS * IRREP_LANES)
    columns(n_rows, PANELS, n_k, in, in_stride, packed + n * n_k, out + n, out_stride, accumulate);
  if (n < n_columns)
    columns(n_rows, 1, n_k, in, in_stride, packed + n * n_k, out + n, out_stride, accumulate);
}
