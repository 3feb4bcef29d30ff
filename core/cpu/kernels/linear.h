/* Irreps-wise linear maps, readout and embedding on a tile of rows; see kernels.h for each. */
#ifndef CORE_CPU_KERNELS_LINEAR_H
#define CORE_CPU_KERNELS_LINEAR_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(linear)(const struct linear *op, size_t n_rows, const uint32_t *species,
                    const void *weights, const void *in, void *out, bool accumulate);
void KERNEL(linear_adjoint)(const struct linear *op, size_t n_rows, const uint32_t *species,
                            const void *weights, const void *grad_out, void *grad_in,
                            bool accumulate);

#endif
