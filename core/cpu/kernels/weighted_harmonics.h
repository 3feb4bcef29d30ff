/* Harmonics weighted by scalars, for each edge or summed; see kernels.h. */
#ifndef CORE_CPU_KERNELS_WEIGHTED_HARMONICS_H
#define CORE_CPU_KERNELS_WEIGHTED_HARMONICS_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

void KERNEL(weighted_harmonics)(const struct weighted_harmonics *op, size_t n_edges,
                                const uint32_t *rows, const double *factors, const void *harmonics,
                                const void *in, void *out);
void KERNEL(weighted_harmonics_adjoint)(const struct weighted_harmonics *op, size_t n_edges,
                                        const uint32_t *rows, const double *factors,
                                        const void *harmonics, const void *in, const void *grad_out,
                                        void *grad_in, bool accumulate, double *grad_harmonics);

#endif
