/* Three independent vectors from the periodic rows of a cell, and their duals. */
#ifndef CORE_GRAPH_BASIS_H
#define CORE_GRAPH_BASIS_H

#include <stdbool.h>

/* Lattice vectors of the periodic axes; across the open ones, vectors of unit length that are
 * orthogonal to all others. */
void basis_complete(const double cell[3][3], const bool pbc[3], double basis[3][3]);

/* dual[k] . basis[j] = 1 where j = k, else 0. */
void basis_dual(double basis[3][3], double dual[3][3]);

#endif
