/* The adjoint of a convolution over a list that lacks the reverses of edges, as that of a part of a
 * structure does: gathered by sender, along the edges that leave an atom. Each edge belongs to the
 * tile of its sender, and each atom's gradient is summed in the order of its edges: the bits are
 * the same for any number of threads. */
#ifndef CORE_CPU_OUTGOING_H
#define CORE_CPU_OUTGOING_H

#include "core/cpu/run.h"

/* For the edges that leave the tile's atoms, which may be ghosts.
 *   x         features of all atoms
 *   grad_out  gradients by the output, of local atoms
 *   grad_x    [n_rows] of the tile, added to; NULL: not wanted
 * Adds to the workspace's gradient (there is no grad_harmonics) and grad_distance of these edges.
 */
void outgoing_adjoint(const struct run *run, const struct op *op, const void *x,
                      const void *grad_out, void *grad_x);

#endif
