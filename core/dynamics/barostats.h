/* Barostats: what makes the cell follow a pressure, and takes the atoms along. */
#ifndef CORE_DYNAMICS_BAROSTATS_H
#define CORE_DYNAMICS_BAROSTATS_H

#include "core/dynamics/md.h"

/* Pressure that is wanted, eV/Angstrom^3. */
double barostat_pressure(const struct irrep_md *md);

/* What is kept, eV: the product of that pressure and the volume. */
double barostat_energy(const struct irrep_md *md, const struct md_point *at);

/* The pressure of the atoms, eV/Angstrom^3: sum of m v v / V, minus stress. As far as the coupling
 * goes: where that is isotropic, a third of the trace on the diagonal; where anisotropic, the
 * diagonal. */
void barostat_internal(const struct irrep_md *md, const struct md_point *at, double out[3][3]);

/* x <- x m, v <- v n, cell <- cell m, with rows from the right. */
void barostat_map(const struct irrep_md *md, struct md_point *at, const double m[3][3],
                  const double n[3][3]);

/* Stochastic cell rescaling for a timestep, on the way to at->step + 1 (crescale.c), and its
 * account once new forces and stress are known, before they change velocities. */
void crescale_step(const struct irrep_md *md, struct md_point *at);
void crescale_account(const struct irrep_md *md, struct md_point *at);

/* Martyna, Tobias and Klein's equations: all that is done before new forces, and after (mtk.c). */
void mtk_to_forces(const struct irrep_md *md, struct md_point *at);
void mtk_from_forces(const struct irrep_md *md, struct md_point *at);

/* Degrees of freedom of the cell. */
static inline double mtk_degrees(const struct irrep_md *md) {
  return md->options.coupling == IRREP_MD_ISOTROPIC     ? 1
         : md->options.coupling == IRREP_MD_ANISOTROPIC ? 3
                                                        : 6;
}

/* The mass of the cell, eV fs^2. */
double mtk_mass(const struct irrep_md *md, uint64_t step);

/* The energy that the cell's motion and its chain hold at a complete step, eV. */
double mtk_energy(const struct irrep_md *md, const struct md_point *at);

#endif
