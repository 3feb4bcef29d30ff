/* Tensor squares that are products of matrices; see kernels.h. */
#ifndef CORE_CPU_KERNELS_MATRIX_PRODUCT_H
#define CORE_CPU_KERNELS_MATRIX_PRODUCT_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

/* As tensor_square where op->matrices. */
void KERNEL(matrix_product)(const struct tensor_square *op, size_t n_rows, const void *in,
                            void *out);
void KERNEL(matrix_product_adjoint)(const struct tensor_square *op, size_t n_rows, const void *in,
                                    const void *grad_out, void *grad_in, bool accumulate);

#endif
