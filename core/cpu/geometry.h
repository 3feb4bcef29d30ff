/* The edge geometry of a batch: from vectors to harmonics and radial embeddings, and back from
 * their gradients to gradients by the vectors. */
#ifndef CORE_CPU_GEOMETRY_H
#define CORE_CPU_GEOMETRY_H

#include "core/cpu/evaluate.h"

/* Writes workspace->harmonics, ->embedding and ->table_rows of n edges from their vectors. */
void geometry_forward(const struct executable *executable, struct workspace *workspace,
                      size_t first_edge, size_t n);

/* Adds what flows through the harmonics of n edges [n][3] to gradient [n][3] by their vectors;
 * solid ones also add to grad_distance. grad_harmonics [n][HARMONICS(l_max)] is overwritten. */
void geometry_harmonics_adjoint(const struct program *program, size_t n, const double *vectors,
                                double *grad_harmonics, double *grad_distance, double *gradient);

/* Writes workspace->gradient of n edges from ->grad_harmonics and ->grad_distance; where there is
 * no grad_harmonics, adds the latter. */
void geometry_adjoint(const struct program *program, struct workspace *workspace, size_t first_edge,
                      size_t n);

#endif
