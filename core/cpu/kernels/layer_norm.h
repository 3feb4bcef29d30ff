/* Layer normalisation of a tile of rows; see kernels.h. */
#ifndef CORE_CPU_KERNELS_LAYER_NORM_H
#define CORE_CPU_KERNELS_LAYER_NORM_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(layer_norm)(const struct layer_norm *op, size_t n_rows, const void *weights,
                        const void *in, void *out);
void KERNEL(layer_norm_adjoint)(const struct layer_norm *op, size_t n_rows, const void *weights,
                                const void *in, const void *grad_out, void *grad_in,
                                bool accumulate);

#endif
