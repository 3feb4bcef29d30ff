/* Gates and scalar activations on a tile of rows; see kernels.h. */
#ifndef CORE_CPU_KERNELS_GATE_H
#define CORE_CPU_KERNELS_GATE_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(gate)(const struct gate *op, size_t n_rows, const void *in, void *out);
void KERNEL(gate_adjoint)(const struct gate *op, size_t n_rows, const void *in,
                          const void *grad_out, void *grad_in, bool accumulate);

#endif
