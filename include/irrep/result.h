/* What an evaluation gives for one structure. */
#ifndef IRREP_RESULT_H
#define IRREP_RESULT_H

#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>

/* The caller sets energies, forces and stresses to its own arrays, or to NULL where it does not
 * want them; the rest is written. irrep/outputs.h has these fields as a table. */
struct irrep_result {
  enum irrep_status
      status;       /* OK, or why this structure has no numbers: then nothing below is meaningful */
  double energy;    /* eV */
  double *energies; /* [n_atoms] eV, sums to energy */
  double *forces;   /* [n_atoms][3] eV/Angstrom */
  double *stresses; /* [n_atoms][3][3] each atom's part, symmetric: eV/Angstrom^3, sums to stress;
                       without has_stress eV, sums to virial. Half of dE/dvector times vector of an
                       edge belongs to its receiver, half to its sender */
  double virial[3][3]; /* eV: -dE/dstrain, symmetric; for any periodicity; only written with forces
                          or stresses wanted */
  double stress[3][3]; /* eV/Angstrom^3, symmetric; only written when has_stress */
  bool has_stress;     /* all three axes are periodic, and forces or stresses were wanted */
  size_t n_edges;      /* directed edges within r_max */
};

#endif
