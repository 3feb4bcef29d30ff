/* Product basis of a tile of atoms; see kernels.h. */
#ifndef CORE_CPU_KERNELS_PRODUCT_H
#define CORE_CPU_KERNELS_PRODUCT_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(product)(const struct product *op, size_t n_rows, const uint32_t *species,
                     const void *weights, const void *in, void *out);
void KERNEL(product_adjoint)(const struct product *op, size_t n_rows, const uint32_t *species,
                             const void *weights, const void *in, const void *grad_out,
                             void *grad_in, bool accumulate);

#endif
