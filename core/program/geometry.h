/* The edge geometry of a batch: from vectors to harmonics and radial embeddings, and back from
 * their gradients to gradients by the vectors. */
#ifndef CORE_PROGRAM_GEOMETRY_H
#define CORE_PROGRAM_GEOMETRY_H

#include "core/program/evaluate.h"

/* Writes workspace->harmonics, ->embedding and ->table_rows from the batch's vectors. */
void geometry_forward(const struct executable *executable, struct workspace *workspace);

/* Writes workspace->gradient from ->grad_harmonics and ->grad_distance. */
void geometry_adjoint(const struct program *program, struct workspace *workspace);

#endif
