/* Normalisation of the channels of a tile of rows; see kernels.h. */
#ifndef CORE_CPU_KERNELS_MATRIX_NORM_H
#define CORE_CPU_KERNELS_MATRIX_NORM_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(matrix_norm)(const struct matrix_norm *op, size_t n_rows, const void *in, void *out);
void KERNEL(matrix_norm_adjoint)(const struct matrix_norm *op, size_t n_rows, const void *in,
                                 const void *grad_out, void *grad_in, bool accumulate);

#endif
