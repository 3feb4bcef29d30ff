/* What ends a trajectory before its time: numbers that are not finite, atoms that would move too
 * far, a cell that collapses, opens or shears. Each fills md->failure with the step and the reason.
 */
#ifndef CORE_DYNAMICS_MD_GUARD_H
#define CORE_DYNAMICS_MD_GUARD_H

#include "core/dynamics/md.h"

/* Notes the cell that later ones are compared with. */
void md_guard_begin(struct irrep_md *md);

/* What is told: RESULT_NOT_FINITE, or BAD_ARGUMENT for a stress that is missing. */
enum irrep_status md_guard_told(struct irrep_md *md, double energy, const double *forces,
                                const double *stress);

/* Whether the step ahead may become the complete one: DIVERGED for velocities that are not finite
 * or would take an atom too far, and for variables of thermostats and barostats that are not
 * finite. */
enum irrep_status md_guard_step(struct irrep_md *md);

/* Whether the positions and the cell that are asked for next may be asked for: DIVERGED. */
enum irrep_status md_guard_move(struct irrep_md *md);

#endif
