/* Which kernels suit the processor. */
#ifndef CORE_CPU_DISPATCH_H
#define CORE_CPU_DISPATCH_H

#include "core/cpu/kernels/kernels.h"

/* The best table of a precision for this processor, or the one named by isa (NULL: the best; a name
 * that does not exist or that the processor lacks gives NULL). Thread-safe. */
const struct kernels *kernels_for(enum irrep_precision precision, const char *isa);

/* The plain table of a precision, compiled for the least processor that is supported: what the best
 * one is checked against. Thread-safe. */
const struct kernels *kernels_plain(enum irrep_precision precision);

#endif
