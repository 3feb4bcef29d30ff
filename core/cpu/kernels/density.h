/* Densities of neighbours, and rows divided by them; see kernels.h. */
#ifndef CORE_CPU_KERNELS_DENSITY_H
#define CORE_CPU_KERNELS_DENSITY_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(density)(size_t n_edges, size_t n_columns, const uint32_t *receivers, size_t first_row,
                     const void *filters, double *sums);
void KERNEL(density_adjoint)(size_t n_edges, size_t n_columns, const uint32_t *receivers,
                             size_t first_row, const void *derivatives, const double *grad_sums,
                             double *grad_distance);
void KERNEL(divide)(size_t n_rows, size_t dim, const double *divisors, const void *in, void *out);
void KERNEL(divide_adjoint)(size_t n_rows, size_t dim, const double *divisors, const void *in,
                            const void *grad_out, void *grad_in, bool accumulate,
                            double *grad_divisors);

#endif
