/* The descriptors of atoms whose features live on edges, which are sums over them. */
#ifndef CORE_CPU_OP_DESCRIPTORS_H
#define CORE_CPU_OP_DESCRIPTORS_H

#include "core/cpu/run.h"

/* Sets the descriptors of the tile's atoms to zero, where results want them. */
void descriptors_clear(const struct run *run);

#endif
