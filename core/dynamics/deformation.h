/* The cell as degrees of freedom: ASE's FrechetCellFilter (after C. Ortner's in JuLIP.jl; Tadmor,
 * Smith, Bernstein and Kaxiras, Phys. Rev. B 59, 235 (1999) for the positions).
 *
 * With the cell h0 at the start, rows being lattice vectors, a deformation F gives
 *
 *   cell = h0 F^T,   positions r = F z
 *
 * and the degrees of freedom are z and N U, where U = log F and N is the number of atoms. With the
 * enthalpy H = E + P V, the stress S and the virial W = -V (S + P), the generalised forces are
 *
 *   -dH/dz = F^T f,   -dH/d(N U) = L(U^T, W F^-T) / N
 *
 * where L(A, E) is the derivative of exp at A in the direction E. */
#ifndef CORE_DYNAMICS_DEFORMATION_H
#define CORE_DYNAMICS_DEFORMATION_H

#include "core/dynamics/archive.h"
#include "irrep/relax.h"

#include <stdbool.h>
#include <stddef.h>

struct deformation {
  /* Settings */
  enum irrep_relax_cell kind;
  size_t n_atoms;
  double pressure;    /* eV/Angstrom^3 */
  bool mask[3][3];    /* components of the strain that are relaxed */
  double start[3][3]; /* the cell at the start */
  /* State */
  double cell[3][3];
  double gradient[3][3];  /* F */
  double logarithm[3][3]; /* U */
};

/* No deformation; the settings are there. */
void deformation_begin(struct deformation *deformation);

/* Writes the generalised forces on the atoms, which may be the forces, and the three rows behind
 * them. false: the cell's are not finite. */
bool deformation_forces(const struct deformation *deformation, const double *forces,
                        const double stress[3][3], double *generalised);

/* Takes the deformation whose logarithm is the given one, without what the mask leaves out. false:
 * the cell would be what irrep_relax_tell refuses; nothing has changed then. */
bool deformation_set(struct deformation *deformation, const double logarithm[3][3]);

/* Takes the deformation that leads to a cell; false as above. */
bool deformation_set_cell(struct deformation *deformation, const double cell[3][3]);

/* r = F z of n atoms, or the same where the cell is fixed */
void deformation_positions(const struct deformation *deformation, const double *z, size_t n,
                           double *positions);

#endif
