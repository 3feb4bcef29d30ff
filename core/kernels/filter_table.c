#include "core/kernels/filter_table.h"

/* n_rows is a constant at the calls, so that the weights stay in registers. */
static inline __attribute__((always_inline)) void interpolate(size_t n_columns, const size_t n_rows,
                                                              const real *rows, const real *weights,
                                                              real *out, real *derivative) {
  for (size_t c = 0; c < n_columns; c += VECTOR_LANES) {
    vec value = {0}, slope = {0};
#pragma GCC unroll 8
    for (size_t j = 0; j < n_rows; j++) {
      const vec row = vec_load(rows + j * n_columns + c);
      value += weights[j] * row;
      if (derivative)
        slope += weights[n_rows + j] * row;
    }
    vec_store(out + c, value);
    if (derivative)
      vec_store(derivative + c, slope);
  }
}

void KERNEL(filter_table)(size_t n_edges, size_t n_columns, size_t n_rows, const void *table,
                          const uint32_t *first_rows, const void *weights, void *out,
                          void *derivative) {
  for (size_t e = 0; e < n_edges; e++) {
    const real *rows = (const real *)table + first_rows[e] * n_columns;
    const real *w = (const real *)weights + e * 2 * n_rows;
    real *y = (real *)out + e * n_columns;
    real *dy = derivative ? (real *)derivative + e * n_columns : NULL;
    if (n_rows == 6 && dy)
      interpolate(n_columns, 6, rows, w, y, dy);
    else if (n_rows == 6)
      interpolate(n_columns, 6, rows, w, y, NULL);
    else if (n_rows == 8 && dy)
      interpolate(n_columns, 8, rows, w, y, dy);
    else if (n_rows == 8)
      interpolate(n_columns, 8, rows, w, y, NULL);
    else
      interpolate(n_columns, n_rows, rows, w, y, dy);
  }
}
