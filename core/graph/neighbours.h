/* Periodic neighbour lists: all directed pairs of atoms closer than a cutoff. */
#ifndef CORE_GRAPH_NEIGHBOURS_H
#define CORE_GRAPH_NEIGHBOURS_H

#include "irrep/status.h"
#include "irrep/structure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Checks everything about a structure that does not depend on a model: at least one atom, at most
 * 2^31-1; positions and the rows of periodic axes finite and within IRREP_LENGTH_MAX; the periodic
 * rows linearly independent (the volume, area or length they span is above 1e-6 of the product of
 * their lengths, and no row is shorter than 1e-3 A). NO_ATOMS, TOO_LARGE, NOT_FINITE,
 * SINGULAR_CELL, with error->field such as "positions/7/2" or "cell". Thread-safe. */
enum irrep_status structure_check(const struct irrep_structure *structure,
                                  struct irrep_error *error);

/* An edge between two atoms and its reverse or, where both are the same atom, an edge alone. */
struct neighbour_pair {
  uint32_t receiver, sender; /* receiver >= sender */
  union {
    double vector[3]; /* Angstrom, positions[receiver] - positions[sender] + shift . cell */
    double shift[3];  /* integers, for pair_vector.h; where neighbour_pairs holds shifts */
  };
};

/* Where pairs are put as they are found. */
struct neighbour_pairs {
  struct neighbour_pair *pair; /* [room] */
  size_t room;
  size_t n;        /* found; those beyond room were not put */
  size_t max_room; /* above room: pair is on the heap and grows up to here, as far as there is
                      memory; whoever began it frees it */
  bool holds_shifts;
};

/* Bytes of scratch that neighbours_find takes for this structure; SIZE_MAX on overflow. Linear in
 * the atoms, whatever their spread: depends on n_atoms alone and grows with it. Thread-safe. */
size_t neighbours_scratch_bytes(const struct irrep_structure *structure, double r_max);

/* Finds the directed edges of a checked structure: ordered pairs (receiver, sender, shift) with
 * distance < r_max, any periodic image, an atom's own images included, the atom itself excluded.
 *
 *   r_max      Angstrom, 0 < r_max <= IRREP_LENGTH_MAX
 *   max_edges  stop with TOO_LARGE beyond this many; UINT32_MAX is the limit in any case
 *   scratch    [neighbours_scratch_bytes] aligned to IRREP_ALIGNMENT
 *   pairs      takes the edges, in the order for neighbours_fill; NULL: they are only counted
 *
 * OK, BAD_ARGUMENT (r_max), ATOMS_OVERLAP (closer than IRREP_DISTANCE_MIN: names both atoms),
 * TOO_LARGE (also where atoms are spread so unevenly that going through them would take too long).
 * *n_edges is written on OK only. Allocates nothing but pairs that may grow. Thread-safe. */
enum irrep_status neighbours_find(const struct irrep_structure *structure, double r_max,
                                  size_t max_edges, void *scratch, struct neighbour_pairs *pairs,
                                  size_t *n_edges, struct irrep_error *error);

/* Says that two atoms, or an atom and its image, are too close. */
enum irrep_status neighbours_fail_overlap(size_t receiver, size_t sender, double distance,
                                          struct irrep_error *error);

/* Writes the edges that were found, sorted by receiver, inside a receiver by sender, then
 * lexicographically by shift, so that the list depends on nothing but the structure. A shift counts
 * for the unwrapped positions as given. Vectors are exactly antisymmetric: the reverse edge has the
 * negated bits.
 *
 *   pairs       all that neighbours_find found, with their vectors
 *   cursor      [n_atoms] scratch
 *   first_edge  [n_atoms + 1] edges of receiver i are first_edge[i] .. first_edge[i+1]-1, plus
 *               edge_base
 *   senders     [n_edges] atom indices plus atom_base
 *   receivers   [n_edges] atom indices plus atom_base; NULL: not wanted
 *   vectors     [n_edges][3] Angstrom, positions[receiver] - positions[sender] + shift . cell
 *
 * No index may pass UINT32_MAX. Thread-safe. */
void neighbours_fill(const struct neighbour_pairs *pairs, size_t n_atoms, uint32_t *cursor,
                     uint32_t atom_base, uint32_t edge_base, uint32_t *first_edge,
                     uint32_t *senders, uint32_t *receivers, double *vectors);

#endif
