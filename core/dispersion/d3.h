/* The passes of DFT-D3 over the atoms of one structure (irrep/dispersion.h). Every pass gathers: an
 * atom's row is written from all its pairs, so that the bits do not depend on who computes it.
 *
 *   begin                sorts the atoms
 *   coordination         each atom's coordination number and the weights of its references
 *   pairs                energies, their derivatives by coordination numbers, forces at fixed ones
 *   triples              the same of the three-body term (three_body.h)
 *   coordination forces  what the coordination numbers add to the forces
 *
 * C6 of a pair is w_i . C . w_j, where the weights w of an atom's references depend on its own
 * coordination number alone. */
#ifndef CORE_DISPERSION_D3_H
#define CORE_DISPERSION_D3_H

#include "core/base/arena.h"
#include "core/dispersion/cells.h"
#include "core/dispersion/reference_data.h"
#include "irrep/dispersion.h"

#include <stdbool.h>
#include <stddef.h>

struct triples_scratch;

struct d3_parameters {
  const struct irrep_dispersion *data;
  struct irrep_dispersion_options options; /* checked */
  const struct dispersion_kernels *kernels;
};

/* What is added to: rows of atoms in the order of the structure. */
struct d3_sums {
  double *energies; /* [n_atoms] eV */
  double *forces;   /* [n_atoms][3] eV/Angstrom, NULL: no gradients are wanted */
  double *strains;  /* [n_atoms][3][3] eV: parts of dE / dstrain; NULL likewise */
};

/* One structure under way. */
struct d3 {
  const struct d3_parameters *parameters;
  struct d3_sums sums;
  struct cells cells;
  struct dispersion_damping *damping; /* [n_species][n_species] */
  double *weights, *weight_slopes;    /* [DISPERSION_REFERENCES][n_atoms] by slot */
  double *slopes;                     /* [n_atoms] by slot: dE / dCN, eV */
  double *rows;                       /* [n_atoms] in the order of the structure: what of ghosts
                                         another process tells, coordination numbers or slopes */
  bool *too_large;                    /* [n_atoms] by slot: it has too many others around */
  struct triples_scratch *triples;    /* [D3_TRIPLE_TASKS]; NULL without three_body */
};

/* Triples are shared out among so many, each of which has its own scratch. */
#define D3_TRIPLE_TASKS 16

/* Takes a structure's memory from an arena, which may be counting: for any elements. NULL when
 * counting. */
struct d3 *d3_take(const struct d3_parameters *parameters, size_t n_atoms, struct arena *arena);

/* Begins with a checked structure of elements that there are data for. The sums outlive it. */
void d3_begin(struct d3 *d3, const struct irrep_structure *structure, const struct d3_sums *sums);

/* The passes, for the atom in each slot; thread-safe on distinct slots, a pass after another. */
void d3_coordination(struct d3 *d3, size_t slot);
void d3_pairs(struct d3 *d3, size_t slot);
void d3_coordination_forces(struct d3 *d3, size_t slot);

/* Of a part of a structure, the passes are for local atoms only. What of ghosts they read goes by
 * the rows: d3_coordination writes the coordination number of an atom, d3_tell_slope its slope;
 * with those of ghosts there, d3_hear_coordination and d3_hear_slope put them into a ghost's slot.
 */
void d3_hear_coordination(struct d3 *d3, size_t slot);
void d3_tell_slope(struct d3 *d3, size_t slot);
void d3_hear_slope(struct d3 *d3, size_t slot);

/* OK; TOO_LARGE: some atom had too many around it, and the sums mean nothing. */
enum irrep_status d3_end(const struct d3 *d3);

/* What the passes over pairs and triples share (d3_atoms.c): */

/* The C6 of an atom with each reference of a species, eV Angstrom^6, from weights [] of its own
 * references, which lie n_atoms apart. */
void d3_c6(const struct d3 *d3, size_t slot, size_t species, const double *weights,
           double c6[DISPERSION_REFERENCES]);

/* Adds a force and a virial to the rows of an atom. */
void d3_add_gradients(struct d3 *d3, size_t slot, const struct dispersion_sums *sums);

#endif
