/* The tensor square and its adjoint; see kernels.h. */
#ifndef CORE_CPU_KERNELS_TENSOR_SQUARE_H
#define CORE_CPU_KERNELS_TENSOR_SQUARE_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(tensor_square)(const struct tensor_square *op, size_t n_rows, const void *weights,
                           const void *in, void *out);
void KERNEL(tensor_square_adjoint)(const struct tensor_square *op, size_t n_rows,
                                   const void *weights, const void *in, const void *grad_out,
                                   void *grad_in, bool accumulate);

#endif
