/* The three-body term of DFT-D3, after Axilrod, Teller and Muto:
 *
 *   e = C9 f9 (3 cos_i cos_j cos_k + 1) / (r_ij r_jk r_ki)^3,   C9 = sqrt(C6_ij C6_jk C6_ki)
 *
 * (Grimme et al. 2010, eq. 11 to 14, with the sign that is repulsive for equilateral triangles.) An
 * atom has a third of each of its triples. */
#ifndef CORE_DISPERSION_THREE_BODY_H
#define CORE_DISPERSION_THREE_BODY_H

#include "core/base/arena.h"

#include <stddef.h>

struct d3;
struct triples_scratch;

/* Atoms around an atom that triples are made of, at most. */
#define TRIPLE_ATOMS_MAX 8192

/* Takes scratch for each task. */
struct triples_scratch *triples_take(size_t n_tasks, struct arena *arena);

/* Adds what the atom in a slot has of its triples to its energy, slope, force and virial: a pass of
 * d3.h, thread-safe on distinct slots and tasks. */
void d3_triples(struct d3 *d3, size_t slot, size_t task);

#endif
