/* The equivariant convolution and its adjoint; see kernels.h. */
#ifndef CORE_CPU_KERNELS_CONVOLUTION_H
#define CORE_CPU_KERNELS_CONVOLUTION_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(convolution)(const struct convolution *op, size_t n_edges, const void *weights,
                         const uint32_t *senders, const uint32_t *receivers, size_t first_row,
                         const void *harmonics, const struct message_filters *filters,
                         const void *x, void *out, void *scratch);
void KERNEL(convolution_adjoint)(const struct convolution *op, size_t n_edges, const void *weights,
                                 const uint32_t *senders, const uint32_t *receivers,
                                 size_t first_row, const void *harmonics,
                                 const struct message_filters *filters, const void *x,
                                 const void *grad_out, void *grad_x, double *grad_harmonics,
                                 double *grad_distance, void *scratch);

#endif
