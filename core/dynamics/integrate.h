/* One step of a trajectory, in two halves with the forces in between. */
#ifndef CORE_DYNAMICS_INTEGRATE_H
#define CORE_DYNAMICS_INTEGRATE_H

#include "core/dynamics/md.h"

/* From a complete step, with forces at x, to the positions and the cell of the next one. */
void integrate_to_forces(const struct irrep_md *md, struct md_point *at);

/* From there, with new forces, to the velocities that belong to them. */
void integrate_from_forces(const struct irrep_md *md, struct md_point *at);

#endif
