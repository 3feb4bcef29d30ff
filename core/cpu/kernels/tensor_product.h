/* Tensor products of edges with the sums of their receivers; see kernels.h. */
#ifndef CORE_CPU_KERNELS_TENSOR_PRODUCT_H
#define CORE_CPU_KERNELS_TENSOR_PRODUCT_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(tensor_product)(const struct tensor_product *op, size_t n_edges,
                            const uint32_t *receivers, size_t first_row, const void *weights,
                            const void *in, const void *sums, void *out, void *scratch);
void KERNEL(tensor_product_adjoint)(const struct tensor_product *op, size_t n_edges,
                                    const uint32_t *receivers, size_t first_row,
                                    const void *weights, const void *in, const void *sums,
                                    const void *grad_out, void *grad_in, bool accumulate,
                                    void *grad_sums, void *scratch);

#endif
