/* Periodic neighbour lists: all directed pairs of atoms closer than a cutoff. */
#ifndef CORE_GRAPH_NEIGHBOURS_H
#define CORE_GRAPH_NEIGHBOURS_H

#include "irrep/status.h"
#include "irrep/structure.h"

#include <stddef.h>
#include <stdint.h>

/* Checks everything about a structure that does not depend on a model: at least one atom, at most
 * 2^31-1; positions and the rows of periodic axes finite and within IRREP_LENGTH_MAX; the periodic
 * rows linearly independent (the volume, area or length they span is above 1e-6 of the product of
 * their lengths, and no row is shorter than 1e-3 A). NO_ATOMS, TOO_LARGE, NOT_FINITE,
 * SINGULAR_CELL, with error->field such as "positions/7/2" or "cell". Thread-safe. */
enum irrep_status structure_check(const struct irrep_structure *structure,
                                  struct irrep_error *error);

/* Bytes of scratch that neighbours_count and neighbours_fill take for this structure; SIZE_MAX on
 * overflow. Linear in the atoms, whatever their spread: depends on n_atoms alone and grows with it.
 * Thread-safe. */
size_t neighbours_scratch_bytes(const struct irrep_structure *structure, double r_max);

/* Counts the directed edges of a checked structure: ordered pairs (receiver, sender, shift) with
 * distance < r_max, any periodic image, an atom's own images included, the atom itself excluded.
 *
 *   r_max      Angstrom, 0 < r_max <= IRREP_LENGTH_MAX
 *   scratch    [neighbours_scratch_bytes] aligned to IRREP_ALIGNMENT
 *   max_edges  stop with TOO_LARGE beyond this many; UINT32_MAX is the limit in any case
 *
 * OK, BAD_ARGUMENT (r_max), ATOMS_OVERLAP (closer than IRREP_DISTANCE_MIN: names both atoms),
 * TOO_LARGE (also where a cell is so flat that its images would take too long to go through).
 * *n_edges is written on OK only. Allocates nothing. Thread-safe. */
enum irrep_status neighbours_count(const struct irrep_structure *structure, double r_max,
                                   size_t max_edges, void *scratch, size_t *n_edges,
                                   struct irrep_error *error);

/* Writes the edges that neighbours_count counted, sorted by receiver, inside a receiver by sender,
 * then lexicographically by shift, so that the list depends on nothing but the structure. A shift
 * counts for the unwrapped positions as given. Vectors are exactly antisymmetric: the reverse edge
 * has the negated bits.
 *
 *   n_edges     as counted
 *   first_edge  [n_atoms + 1] edges of receiver i are first_edge[i] .. first_edge[i+1]-1, plus
 *               edge_base
 *   senders     [n_edges] atom indices plus atom_base
 *   receivers   [n_edges] atom indices plus atom_base
 *   vectors     [n_edges][3] Angstrom, positions[receiver] - positions[sender] + shift . cell
 *
 * OK, BAD_ARGUMENT when the count differs, r_max is not accepted or an index would pass UINT32_MAX;
 * the arrays are then not written. Allocates nothing. Thread-safe. */
enum irrep_status neighbours_fill(const struct irrep_structure *structure, double r_max,
                                  void *scratch, size_t n_edges, uint32_t atom_base,
                                  uint32_t edge_base, uint32_t *first_edge, uint32_t *senders,
                                  uint32_t *receivers, double *vectors);

#endif
