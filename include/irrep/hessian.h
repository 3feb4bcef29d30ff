/* Second derivatives of the energy by positions, from forces at displaced positions, and the normal
 * modes that follow.
 *
 *   irrep_hessian_new        begins with a structure
 *   irrep_hessian_wanted     how many displaced structures it wants now
 *   irrep_hessian_positions  one of them
 *   irrep_hessian_tell       takes the forces of the first of them
 *   irrep_hessian_tell_rows  takes rows that are known already
 *   irrep_hessian_values     the matrix, once it wants no more
 *   irrep_normal_modes       frequencies and modes of a matrix
 *   irrep_hessian_free
 *
 * It computes no forces; a program evaluates what is wanted, in double precision, in any batches:
 *
 *   while ((n = irrep_hessian_wanted(hessian)) > 0)
 *     for (i = 0; i < n; i++) {
 *       irrep_hessian_positions(hessian, 0, positions);
 *       ... evaluate the structure with these positions: forces ...
 *       irrep_hessian_tell(hessian, forces, &error);
 *     }
 *
 * First it wants displacements of all atoms at once along one direction, at steps from 0.016
 * Angstrom down, each a quarter of the one before. Where the derivative of the forces changes least
 * from one step to the next, truncation and rounding together are smallest; with that step it wants
 * every coordinate displaced to both sides: central differences. */
#ifndef IRREP_HESSIAN_H
#define IRREP_HESSIAN_H

#include "irrep/status.h"
#include "irrep/structure.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Atoms of a Hessian at most. */
#define IRREP_HESSIAN_ATOMS_MAX 10000

/* A Hessian on the way. It is opaque; one thread at a time uses it. */
struct irrep_hessian;

/* Begins with a structure, of which it copies the positions.
 *   step     Angstrom, at most 0.1; 0: it is chosen by error
 *   hessian  set to what the caller owns (irrep_hessian_free), or to NULL
 * OK; NO_ATOMS; TOO_LARGE: more than IRREP_HESSIAN_ATOMS_MAX; BAD_ARGUMENT: the step or a
 * struct_size; NO_MEMORY. */
enum irrep_status irrep_hessian_new(const struct irrep_structure *structure, double step,
                                    struct irrep_hessian **hessian, struct irrep_error *error);

/* Frees it; NULL is allowed. */
void irrep_hessian_free(struct irrep_hessian *hessian);

/* Returns the bytes that one of n_atoms takes; SIZE_MAX where that overflows. Thread-safe. */
size_t irrep_hessian_bytes(size_t n_atoms);

/* Returns how many displaced structures are wanted, whose order they may be evaluated in is free.
 * When the forces of all have been told there may be more; 0: the matrix is there. */
size_t irrep_hessian_wanted(const struct irrep_hessian *hessian);

/* Writes the positions [n_atoms][3] (Angstrom) of one of them, by its index below that number. */
void irrep_hessian_positions(const struct irrep_hessian *hessian, size_t index, double *positions);

/* Takes the forces [n_atoms][3] (eV/Angstrom) of the first of them, which is wanted no more. OK;
 * NOT_FINITE: one of the forces; BAD_ARGUMENT: nothing is wanted. */
enum irrep_status irrep_hessian_tell(struct irrep_hessian *hessian, const double *forces,
                                     struct irrep_error *error);

/* Takes three rows of the matrix instead, [3][n_atoms][3] eV/Angstrom^2, of the next atom: those of
 * atom 0 before anything has been told, and of the others in turn (irrep/tangents.h). After the
 * last one nothing is wanted any more; the step is 0. OK; NOT_FINITE: a number; BAD_ARGUMENT: the
 * atom is not the next one. */
enum irrep_status irrep_hessian_tell_rows(struct irrep_hessian *hessian, size_t atom,
                                          const double *rows, struct irrep_error *error);

/* Returns the matrix [3 n_atoms][3 n_atoms], eV/Angstrom^2: of row 3 i + a and column 3 j + b the
 * derivative by components a and b of atoms i and j. It is symmetric, the mean of what the forces
 * gave and its transpose. NULL while anything is wanted. It belongs to the hessian. */
const double *irrep_hessian_values(const struct irrep_hessian *hessian);

/* Return the step, Angstrom, 0 of rows that were told, and how far the matrix was from its
 * transpose, eV/Angstrom^2: half of the largest difference, which tells its error. 0 while they are
 * not known. */
double irrep_hessian_step(const struct irrep_hessian *hessian);
double irrep_hessian_asymmetry(const struct irrep_hessian *hessian);

/* What is known of normal modes beside their arrays. */
struct irrep_modes {
  size_t struct_size; /* sizeof(struct irrep_modes); see "Versions" in conventions.h */
  size_t n_rigid;     /* motions that are projected out: 3 where an axis is periodic, or of one
                         atom; 5 of a linear molecule; else 6 */
  double zero_point_energy; /* eV: half of h times frequency, of the modes that are real */

  /* Other than 0: the library does not call OpenBLAS; see struct irrep_model_source. Of the caller.
   */
  size_t own_products;
};

#define IRREP_MODES_INIT                                                                           \
  { sizeof(struct irrep_modes), 0, 0.0, 0 }

/* Finds the normal modes in the harmonic approximation: the eigenvectors of the mass-weighted
 * Hessian, M^-1/2 H M^-1/2, from which the translations and, without periodic axes, the rotations
 * of the structure are projected out (Miller, Handy and Adams, J. Chem. Phys. 72, 99 (1980), eq.
 * 2.10 at a minimum).
 *
 *   structure    one structure
 *   masses       [n_atoms] u, or NULL: those of the elements
 *   matrix       [3 n_atoms][3 n_atoms] eV/Angstrom^2, symmetric
 *   frequencies  [3 n_atoms] 1/cm, ascending; imaginary ones negative, those of rigid motions 0
 *   modes        [3 n_atoms][n_atoms][3] the eigenvectors, mass-weighted, of length 1, in the order
 *                of the frequencies; not the memory of the matrix
 *   found        struct_size and own_products are the caller's; the rest is written
 *
 * OK; NO_ATOMS; TOO_LARGE: more than IRREP_HESSIAN_ATOMS_MAX; BAD_ARGUMENT: a mass or a
 * struct_size; UNKNOWN_ELEMENT: it has no mass; NOT_FINITE: an element of the matrix; NO_MEMORY.
 * Takes as much memory again from the heap as the matrix twice over, and gives it back.
 * Thread-safe; those that call OpenBLAS take turns. */
enum irrep_status irrep_normal_modes(const struct irrep_structure *structure, const double *masses,
                                     const double *matrix, double *frequencies, double *modes,
                                     struct irrep_modes *found, struct irrep_error *error);

#ifdef __cplusplus
}
#endif

#endif
