/* Normalisation of a tile of rows; see kernels.h. */
#ifndef CORE_CPU_KERNELS_NORM_H
#define CORE_CPU_KERNELS_NORM_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(norm)(const struct norm *op, size_t n_rows, const void *weights, const void *in,
                  void *out);
void KERNEL(norm_adjoint)(const struct norm *op, size_t n_rows, const void *weights, const void *in,
                          const void *grad_out, void *grad_in, bool accumulate);

#endif
