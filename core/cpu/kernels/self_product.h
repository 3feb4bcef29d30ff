/* The self tensor product and its adjoint; see kernels.h. */
#ifndef CORE_CPU_KERNELS_SELF_PRODUCT_H
#define CORE_CPU_KERNELS_SELF_PRODUCT_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(self_product)(const struct self_product *op, size_t n_rows, const void *weights,
                          const void *in, void *out);
void KERNEL(self_product_adjoint)(const struct self_product *op, size_t n_rows, const void *weights,
                                  const void *in, const void *grad_out, void *grad_in,
                                  bool accumulate);

#endif
