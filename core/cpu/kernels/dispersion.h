/* Kernels of DFT-D3 (core/dispersion): in double, whatever precision a model has, so that they are
 * in the tables of float64 alone. */
#ifndef CORE_CPU_KERNELS_DISPERSION_H
#define CORE_CPU_KERNELS_DISPERSION_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

#if IRREP_REAL_BITS == 64
extern const struct dispersion_kernels KERNEL(dispersion_kernels);
#endif

#endif
