/* Filters from a table; see kernels.h. */
#ifndef CORE_CPU_KERNELS_FILTER_TABLE_H
#define CORE_CPU_KERNELS_FILTER_TABLE_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(filter_table)(size_t n_edges, size_t n_columns, size_t n_rows, const void *table,
                          const uint32_t *first_rows, const void *weights, void *out,
                          void *derivative);

#endif
