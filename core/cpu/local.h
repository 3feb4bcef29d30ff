/* Evaluates a local program on a tile of atoms; see program.h. */
#ifndef CORE_CPU_LOCAL_H
#define CORE_CPU_LOCAL_H

#include "core/cpu/run.h"

/* Adds the energies of the tile's atoms and, if wanted, the gradients by the harmonics and
 * distances of their edges. Thread-safe on distinct tiles. */
void local_evaluate(const struct run *run, bool gradients);

#endif
