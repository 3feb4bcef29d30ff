/* A structure: atoms, cell and periodicity, as a view of the caller's arrays. */
#ifndef IRREP_STRUCTURE_H
#define IRREP_STRUCTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The caller owns the arrays, which outlive every call that takes the structure. Positions may lie
 * outside the cell. */
struct irrep_structure {
  size_t struct_size; /* sizeof(struct irrep_structure); see "Versions" in conventions.h */
  size_t n_atoms;
  const int32_t *numbers;  /* [n_atoms] atomic numbers */
  const double *positions; /* [n_atoms][3] Angstrom */
  bool pbc[3];             /* the axes that are periodic */
  double cell[3][3];       /* rows are lattice vectors, Angstrom, of either handedness; the rows of
                              axes that are not periodic are ignored */
};

/* No atoms, no periodic axis. */
#define IRREP_STRUCTURE_INIT                                                                       \
  {                                                                                                \
    sizeof(struct irrep_structure), 0, NULL, NULL, {false, false, false},                          \
        {{0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}},                                       \
  }

#ifdef __cplusplus
}
#endif

#endif
