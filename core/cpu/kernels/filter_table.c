/* Filters read from a table: f[e][c] = sum over k of t^k T[first_row[e] + k][c] with t the place in
 * the interval, from -1 to 1, and the derivative by r likewise. The powers come with the edge:
 * weights [n_edges][2][n_rows]; T [rows][n_columns], f and f' [n_edges][n_columns]. See
 * core/cpu/filter_tables.h. */
#include "core/cpu/kernels/filter_table.h"

#define ROWS_MAX 8

/* Vectors of columns that go through the rows together. */
#define WIDTH (IRREP_LANES / VECTOR_LANES >= 2 ? 2 : 1)

/* The weights are copied first: the output could be the same memory for all the compiler knows.
 * n_rows is a constant at the calls, so that they stay in registers. */
static inline __attribute__((always_inline)) void interpolate(size_t n_columns, size_t stride,
                                                              const size_t n_rows, const real *rows,
                                                              const real *weights, real *out,
                                                              real *derivative) {
  real w[2 * ROWS_MAX];
#pragma GCC unroll 16
  for (size_t j = 0; j < 2 * n_rows; j++)
    w[j] = weights[j];
  for (size_t c = 0; c < n_columns; c += WIDTH * VECTOR_LANES) {
    vec value[WIDTH] = {0}, slope[WIDTH] = {0};
#pragma GCC unroll 8
    for (size_t j = 0; j < n_rows; j++)
#pragma GCC unroll 2
      for (size_t v = 0; v < WIDTH; v++) {
        const vec row = vec_load(rows + j * stride + c + v * VECTOR_LANES);
        value[v] += w[j] * row;
        if (derivative)
          slope[v] += w[n_rows + j] * row;
      }
#pragma GCC unroll 2
    for (size_t v = 0; v < WIDTH; v++) {
      vec_store(out + c + v * VECTOR_LANES, value[v]);
      if (derivative)
        vec_store(derivative + c + v * VECTOR_LANES, slope[v]);
    }
  }
}

/* Columns that are gone through for all edges before the next: the rows of a few intervals stay in
 * L1. */
#define COLUMNS (2048 / sizeof(real))

/* Narrower tables stay there by themselves. */
#define ORDERED_COLUMNS (1024 / sizeof(real))

#define BUCKETS 256

/* Those that read the same rows follow each other. */
static void order_by_row(const struct filter_reads *reads, size_t n_edges,
                         uint8_t order[MESSAGE_TILE]) {
  uint64_t filled[BUCKETS / 64] = {0};
  uint8_t last[BUCKETS], before[MESSAGE_TILE];
  for (size_t e = 0; e < n_edges; e++) {
    const size_t bucket = reads->first_rows[e] / reads->n_rows % BUCKETS;
    const uint64_t bit = UINT64_C(1) << bucket % 64;
    before[e] = filled[bucket / 64] & bit ? last[bucket] : (uint8_t)e;
    last[bucket] = (uint8_t)e;
    filled[bucket / 64] |= bit;
  }
  size_t n = 0;
  for (size_t word = 0; word < BUCKETS / 64; word++)
    for (uint64_t bits = filled[word]; bits; bits &= bits - 1) {
      uint8_t e = last[word * 64 + (size_t)__builtin_ctzll(bits)];
      for (order[n++] = e; before[e] != e; order[n++] = e)
        e = before[e];
    }
}

void KERNEL(filter_order)(const struct filter_reads *reads, size_t n_edges, size_t n_columns,
                          uint8_t order[MESSAGE_TILE]) {
  for (size_t e = 0; e < n_edges; e++)
    order[e] = (uint8_t)e;
  if (n_columns >= ORDERED_COLUMNS)
    order_by_row(reads, n_edges, order);
}

void KERNEL(filter_columns)(const struct filter_reads *reads, size_t n_edges, const uint8_t *order,
                            size_t stride, size_t first, size_t n, real *out, real *derivative,
                            size_t out_stride) {
  const size_t n_rows = reads->n_rows;
  for (size_t i = 0; i < n_edges; i++) {
    const size_t e = order[i];
    const real *rows = (const real *)reads->table + reads->first_rows[e] * stride + first;
    const real *w = (const real *)reads->weights + e * 2 * n_rows;
    real *y = out + e * out_stride;
    real *dy = derivative ? derivative + e * out_stride : NULL;
    if (n_rows == 8 && dy)
      interpolate(n, stride, 8, rows, w, y, dy);
    else if (n_rows == 8)
      interpolate(n, stride, 8, rows, w, y, NULL);
    else
      interpolate(n, stride, n_rows, rows, w, y, dy);
  }
}

void KERNEL(filter_table)(size_t n_edges, size_t n_columns, size_t n_rows, const void *table,
                          const uint32_t *first_rows, const void *weights, void *out,
                          void *derivative) {
  const struct filter_reads reads = {table, first_rows, n_rows, weights};
  uint8_t order[MESSAGE_TILE];
  KERNEL(filter_order)(&reads, n_edges, n_columns, order);
  for (size_t c = 0; c < n_columns; c += COLUMNS)
    KERNEL(filter_columns)
  (&reads, n_edges, order, n_columns, c, n_columns - c < COLUMNS ? n_columns - c : COLUMNS,
   (real *)out + c, derivative ? (real *)derivative + c : NULL, n_columns);
}
