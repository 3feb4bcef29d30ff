/* Scalar activations and their derivatives. */
#ifndef CORE_CPU_KERNELS_ACTIVATIONS_H
#define CORE_CPU_KERNELS_ACTIVATIONS_H

#include "core/base/real.h"
#include "core/cpu/kernels/kernels.h"

#include <stddef.h>

/* out[i] = activation(in[i]) and derivative[i] = activation'(in[i]), of which one may be NULL. In
 * place is allowed. Activations of zero are finite, so padding stays harmless. */
void KERNEL(activation)(enum activation kind, size_t n, const real *in, real *out,
                        real *derivative);

#endif
