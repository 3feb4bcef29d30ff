/* The quantity that a trajectory would keep if its timestep were infinitely short. */
#ifndef CORE_DYNAMICS_CONSERVED_H
#define CORE_DYNAMICS_CONSERVED_H

#include "core/dynamics/md.h"

/* eV, of a complete step. */
double conserved_energy(const struct irrep_md *md, const struct md_point *at);

#endif
