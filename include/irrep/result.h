/* What an evaluation gives for one structure. */
#ifndef IRREP_RESULT_H
#define IRREP_RESULT_H

#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The caller sets struct_size, and energies, forces and stresses to its own arrays, or to NULL
 * where it does not want them; the library writes the rest. irrep/outputs.h has these fields as a
 * table. */
struct irrep_result {
  size_t struct_size;       /* sizeof(struct irrep_result); see "Versions" in conventions.h */
  enum irrep_status status; /* OK, or why this structure has no numbers: then nothing below means
                               anything */
  bool has_stress;          /* forces or stresses were wanted and all three axes are periodic */
  double energy;            /* eV */
  double *energies;         /* [n_atoms] eV, the sum is energy */
  double *forces;           /* [n_atoms][3] eV/Angstrom */
  double *stresses;    /* [n_atoms][3][3] each atom's part, symmetric: eV/Angstrom^3, the sum is
                          stress;    without has_stress eV, the sum is virial. Half of dE/dvector times
                          vector of    an edge belongs to its receiver, half to its sender */
  double virial[3][3]; /* eV: -dE/dstrain, symmetric, for any periodicity; written where forces or
                          stresses are wanted */
  double stress[3][3]; /* eV/Angstrom^3, symmetric; written where has_stress */
  size_t n_edges;      /* directed edges within r_max */

  /* Of the caller, like the arrays above: the columns of descriptors, which are the model's
   * (struct irrep_card), and arrays or NULL. In the order of channels and then, as
   * "conventions.h" has it, of m. */
  size_t n_descriptors, n_descriptors_l;
  double *descriptors;   /* [n_atoms][n_descriptors] the invariant features (0e) that the model's
                            readouts read, layer by layer */
  double *descriptors_l; /* [n_atoms][n_descriptors_l] all of these features */

  bool has_dipole;  /* the model gives one (struct irrep_card) */
  double dipole[3]; /* e Angstrom; written where has_dipole */
};

/* The energy alone is wanted. */
#define IRREP_RESULT_INIT                                                                          \
  {                                                                                                \
    sizeof(struct irrep_result), IRREP_OK, false, 0.0, NULL, NULL, NULL,                           \
        {{0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}},                                       \
        {{0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}}, 0, 0, 0, NULL, NULL, false,           \
        {0.0, 0.0, 0.0},                                                                           \
  }

#ifdef __cplusplus
}
#endif

#endif
