/* Lengths of an irrep's channels for a tile of rows; see kernels.h. */
#ifndef CORE_CPU_KERNELS_VECTOR_NORM_H
#define CORE_CPU_KERNELS_VECTOR_NORM_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(vector_norm)(const struct vector_norm *op, size_t n_rows, const void *in, void *out);
void KERNEL(vector_norm_adjoint)(const struct vector_norm *op, size_t n_rows, const void *in,
                                 const void *grad_out, void *grad_in, bool accumulate);

#endif
