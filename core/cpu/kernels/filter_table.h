/* Filters from a table; see kernels.h. */
#ifndef CORE_CPU_KERNELS_FILTER_TABLE_H
#define CORE_CPU_KERNELS_FILTER_TABLE_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(filter_table)(size_t n_edges, size_t n_columns, size_t n_rows, const void *table,
                          const uint32_t *first_rows, const void *weights, void *out,
                          void *derivative);

/* An order of at most MESSAGE_TILE edges in which to read a table of n_columns. */
void KERNEL(filter_order)(const struct filter_reads *reads, size_t n_edges, size_t n_columns,
                          uint8_t order[MESSAGE_TILE]);

/* Filters of some edges at n columns from `first` on of a table with rows of `stride` reals.
 *   out, derivative  [n_edges][out_stride]; derivative may be NULL */
void KERNEL(filter_columns)(const struct filter_reads *reads, size_t n_edges, const uint8_t *order,
                            size_t stride, size_t first, size_t n, real *out, real *derivative,
                            size_t out_stride);

#endif
