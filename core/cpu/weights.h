/* A program's weights in one precision. Those by species are written when an element first occurs:
 * until then they are memory that nothing has touched. */
#ifndef CORE_CPU_WEIGHTS_H
#define CORE_CPU_WEIGHTS_H

#include "core/cpu/kernels/kernels.h"
#include "core/program/program.h"

#include <stdatomic.h>

struct weights {
  void *data;        /* reals, aligned to IRREP_ALIGNMENT */
  atomic_int *state; /* [n_species] whether they are there */
};

/* Converts what the program's builder has written. NO_MEMORY; then there is nothing to finish. */
enum irrep_status weights_init(struct weights *weights, const struct program *program,
                               const struct kernels *kernels);

void weights_fini(struct weights *weights);

/* Writes what the atoms' species need and is not there yet; if another thread is about it, which
 * takes a millisecond or so, waits for that. NO_MEMORY. Thread-safe.
 *   species  [n] of the program's */
enum irrep_status weights_need(struct weights *weights, const struct program *program,
                               const struct kernels *kernels, size_t n, const uint32_t *species);

/* Bytes that are written at once and, when all elements have occurred, besides. */
size_t weights_bytes(const struct program *program, const struct kernels *kernels);
size_t weights_species_bytes(const struct program *program, const struct kernels *kernels);

#endif
