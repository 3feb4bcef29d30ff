/* Filters from the radial embedding; see kernels.h. */
#ifndef CORE_CPU_KERNELS_FILTER_H
#define CORE_CPU_KERNELS_FILTER_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(filter)(const struct filter *op, size_t n_edges, const void *weights,
                    const uint32_t *pairs, const void *embedding, void *out, void *derivative,
                    void *scratch);
void KERNEL(filter_adjoint)(size_t n_edges, size_t n_columns, const void *derivatives,
                            const void *grad_out, double *grad_distance);

#endif
