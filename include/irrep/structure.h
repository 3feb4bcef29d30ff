/* A structure: atoms, cell and periodicity, as a view of the caller's arrays. */
#ifndef IRREP_STRUCTURE_H
#define IRREP_STRUCTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Not owned: the arrays must outlive every call that takes the structure. Positions may lie outside
 * the cell. */
struct irrep_structure {
  size_t n_atoms;
  const int32_t *numbers;  /* [n_atoms] atomic numbers */
  const double *positions; /* [n_atoms][3] Angstrom */
  double cell[3][3]; /* rows are lattice vectors, Angstrom, either hand; rows of non-periodic axes
                        are ignored */
  bool pbc[3];       /* which axes are periodic */
};

#endif
