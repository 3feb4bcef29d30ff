/* Thermostats: what changes velocities so that they are distributed as at a temperature. Each
 * counts in md_point.exchanged, or in its own variables, the energy that it takes. */
#ifndef CORE_DYNAMICS_THERMOSTATS_H
#define CORE_DYNAMICS_THERMOSTATS_H

#include "core/dynamics/md.h"

/* Langevin: friction and noise for a timestep, on the way to step at->step + 1 (langevin.c). */
void langevin_step(const struct irrep_md *md, struct md_point *at);

/* Stochastic velocity rescaling for a timestep, on the way to at->step + 1 (csvr.c). */
void csvr_step(const struct irrep_md *md, struct md_point *at);

/* The chain that holds the atoms at a temperature, for a time, on the way to at->step + 1
 * (nose_hoover.c). */
void nose_hoover_atoms(const struct irrep_md *md, struct md_point *at, double time);

/* The chain that holds the cell of MTK, whose kinetic energy is twice / 2, for a time. Returns what
 * the cell's momenta are to be multiplied by. */
double nose_hoover_cell(const struct irrep_md *md, struct md_point *at, double twice, double time);

/* The energies that the chains hold at a complete step, eV. */
double nose_hoover_energy(const struct irrep_md *md, const struct md_point *at);
double nose_hoover_cell_energy(const struct irrep_md *md, const struct md_point *at);

#endif
