/* Filters from the radial embedding; see kernels.h. */
#ifndef CORE_KERNELS_FILTER_H
#define CORE_KERNELS_FILTER_H

#include "core/base/real.h"
#include "core/kernels/kernels.h"

void KERNEL(filter)(const struct filter *op, size_t n_edges, const void *weights,
                    const void *embedding, void *out, void *derivative, void *scratch);

#endif
