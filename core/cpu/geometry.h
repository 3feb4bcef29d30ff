/* The edge geometry of a batch: from vectors to harmonics and radial embeddings, and back from
 * their gradients to gradients by the vectors. */
#ifndef CORE_CPU_GEOMETRY_H
#define CORE_CPU_GEOMETRY_H

#include "core/cpu/evaluate.h"

/* Writes workspace->harmonics, ->embedding and ->table_rows of n edges from their vectors. */
void geometry_forward(const struct executable *executable, struct workspace *workspace,
                      size_t first_edge, size_t n);

/* Writes workspace->gradient of n edges from ->grad_harmonics and ->grad_distance. */
void geometry_adjoint(const struct program *program, struct workspace *workspace, size_t first_edge,
                      size_t n);

#endif
