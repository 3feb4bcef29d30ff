/* The atoms of a structure by species and bin, and the pairs of each as the kernels take them.
 * Pairs are not stored: they are found again for each pass. */
#ifndef CORE_DISPERSION_CELLS_H
#define CORE_DISPERSION_CELLS_H

#include "core/base/arena.h"
#include "core/cpu/kernels/kernels.h"
#include "core/graph/grid.h"
#include "irrep/structure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Atomic numbers are below. */
#define CELLS_NUMBERS 128

/* Slots number the atoms: by species, then by entry of the grid's table, then by index. */
struct cells {
  size_t n_atoms, n_species;
  uint8_t numbers[CELLS_NUMBERS]; /* [n_species] ascending atomic numbers */
  struct grid grid;
  size_t n_entries;
  double off;          /* how far places and their images may be off, Angstrom */
  bool folded;         /* an entry may hold atoms of several bins */
  uint32_t *table;     /* [n_species][n_entries + 1] first slot of each entry */
  double *place[3];    /* [n_atoms] each, by slot, Angstrom */
  uint32_t *grid_slot; /* [n_atoms] by slot */
  uint32_t *index;     /* [n_atoms] in the structure, by slot */
  uint8_t *species;    /* [n_atoms] by slot */
};

/* Takes the arrays for n_atoms of at most n_species (the arena may be counting). */
void cells_take(struct cells *cells, size_t n_atoms, size_t n_species, struct arena *arena);

/* Fills them from a checked structure of no more species, for cutoffs up to the given one,
 * Angstrom. Linear in atoms, times species. */
void cells_build(struct cells *cells, const struct irrep_structure *structure, double cutoff);

/* Takes the pairs of an atom with some of a species. */
struct pair_sink {
  void *context;
  void (*take)(void *context, size_t species, struct dispersion_tile *tile);
};

/* Hands every atom within the cutoff of the atom in a slot, periodic images included, to the sink,
 * and some that are a little further away; itself excluded. Tiles come in an order that the
 * structure alone determines. Takes 60 kB of stack.
 *   max_work  bins and atoms that may be looked at
 * false: there are more. */
bool cells_pairs(const struct cells *cells, const struct dispersion_kernels *kernels, size_t slot,
                 double cutoff, uint64_t max_work, const struct pair_sink *sink);

#endif
