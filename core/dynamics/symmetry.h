/* A space group that is kept: forces, stress and steps are averaged over its operations, as ASE's
 * FixSymmetry does it. An operation takes the fractional coordinates s of atom a to R s + t, which
 * are those of atom map[a], but for a lattice vector. */
#ifndef CORE_DYNAMICS_SYMMETRY_H
#define CORE_DYNAMICS_SYMMETRY_H

#include "core/dynamics/archive.h"
#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Operations times atoms at most. */
#define SYMMETRY_MAPS_MAX ((size_t)1 << 20)

/* Zero-initialised there is none: n_operations is 0. */
struct symmetry {
  size_t n_operations, n_atoms;
  int32_t *rotations; /* [n_operations][3][3] */
  uint32_t *maps;     /* [n_operations][n_atoms] */
};

/* Room for operations; false: not enough memory. */
bool symmetry_init(struct symmetry *symmetry, size_t n_operations, size_t n_atoms);
void symmetry_fini(struct symmetry *symmetry);

/* The bytes that symmetry_init takes for the largest group of a structure. */
size_t symmetry_bytes_max(size_t n_atoms);

/* The space group of a structure within symprec (Angstrom), and the structure made exactly
 * symmetric: cell and positions [n_atoms][3] are replaced, which moves them by a few symprec at
 * most.
 *
 * BAD_ARGUMENT (spglib finds no group, or one that does not fit the structure), TOO_LARGE,
 * NO_MEMORY. Thread-safe. */
enum irrep_status symmetry_find(size_t n_atoms, const int32_t *numbers, double cell[3][3],
                                double *positions, double symprec, struct symmetry *symmetry,
                                struct irrep_error *error);

/* Averages vectors [n_atoms][3] in the frame of a cell; scratch [n_atoms][3]. Without operations
 * nothing changes. */
void symmetry_vectors(const struct symmetry *symmetry, const double cell[3][3], double *vectors,
                      double *scratch);

/* Averages a Cartesian tensor of rank two. */
void symmetry_tensor(const struct symmetry *symmetry, const double cell[3][3], double tensor[3][3]);

/* Whether every operation takes fixed atoms to fixed atoms; otherwise one that it does not. */
bool symmetry_keeps(const struct symmetry *symmetry, const unsigned char *is_fixed, size_t *atom);

/* Whether averages of strains that a mask allows are allowed by it too. */
bool symmetry_keeps_mask(const struct symmetry *symmetry, const double cell[3][3],
                         const bool mask[3][3]);

/* After reading `n_operations` is 0 where it has failed. */
void symmetry_archive(struct symmetry *symmetry, size_t n_atoms, struct archive *archive);

#endif
