/* Velocities at the beginning, and what they share. */
#ifndef CORE_DYNAMICS_VELOCITIES_H
#define CORE_DYNAMICS_VELOCITIES_H

#include "core/dynamics/md.h"

/* Draws the velocities of atoms that are not fixed from the distribution of Maxwell and Boltzmann
 * at the first temperature: normal, of variance kT / m along each axis. Into md->done.v. */
void velocities_draw(struct irrep_md *md);

/* Takes the velocity of the centre of mass from all atoms. What is left is distributed as Maxwell
 * and Boltzmann's of zero momentum: it is not scaled, as ASE's Stationary would. */
void velocities_remove_drift(struct irrep_md *md);

/* Whether the momentum of the whole is zero but for roundoff. */
bool velocities_without_drift(const struct irrep_md *md);

#endif
