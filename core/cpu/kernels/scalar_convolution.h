/* The convolution of scalars with filters from a table, and its adjoint; see kernels.h. */
#ifndef CORE_CPU_KERNELS_SCALAR_CONVOLUTION_H
#define CORE_CPU_KERNELS_SCALAR_CONVOLUTION_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(scalar_convolution)(const struct filter_reads *filters, size_t n_edges, size_t dim,
                                const uint32_t *senders, const uint32_t *receivers,
                                size_t first_row, const void *x, void *out);
void KERNEL(scalar_convolution_adjoint)(const struct filter_reads *filters, size_t n_edges,
                                        size_t dim, const uint32_t *senders,
                                        const uint32_t *receivers, size_t first_row, const void *x,
                                        const void *grad_out, void *grad_x, double *grad_distance);

#endif
