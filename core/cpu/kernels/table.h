/* The kernel tables that exist: kernels_f32_v3 and so on. */
#ifndef CORE_CPU_KERNELS_TABLE_H
#define CORE_CPU_KERNELS_TABLE_H

#include "core/cpu/kernels/kernels.h"

#if defined(__x86_64__)
extern const struct kernels kernels_f32_v2, kernels_f32_v3, kernels_f32_v4;
extern const struct kernels kernels_f64_v2, kernels_f64_v3, kernels_f64_v4;
#else
extern const struct kernels kernels_f32_base, kernels_f64_base;
#endif

#endif
