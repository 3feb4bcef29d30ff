/* The inside of a trajectory (irrep/md.h).
 *
 * Inside, masses are in eV fs^2 / Angstrom^2, pressures in eV/Angstrom^3, and temperatures are
 * energies kT in eV, so that no equation has a factor of units. A row
 * of a cell is a lattice vector. */
#ifndef CORE_DYNAMICS_MD_H
#define CORE_DYNAMICS_MD_H

#include "irrep/md.h"

/* A chain of thermostats: Nose-Hoover chains. */
struct md_chain {
  double eta[IRREP_MD_CHAIN_MAX]; /* positions, without unit */
  double p[IRREP_MD_CHAIN_MAX];   /* momenta, eV fs */
};

/* A move of stochastic cell rescaling whose account is open until new forces are known: crescale.c,
 * whose letters these are. */
struct md_rescale {
  double root, change;   /* l, l' - l */
  double force;          /* f */
  double volume;         /* at which the shape moved */
  double along, squared; /* S . A, A . A */
  double strain[3][3];   /* S in the frame after the move */
};

/* Where a trajectory is. */
struct md_point {
  uint64_t step;
  double potential; /* eV, at x */
  bool has_stress;
  double stress[3][3]; /* eV/Angstrom^3, at x, without the kinetic part */
  double cell[3][3];   /* Angstrom */
  double exchanged; /* eV: what thermostats and barostats without variables of their own have taken;
                       with energy and p V it makes the conserved quantity */
  struct md_chain atoms_chain, cell_chain;
  double cell_momentum[3]
                      [3];   /* MTK: p_g, eV fs; one number times the unit matrix where isotropic */
  struct md_rescale rescale; /* between the halves of a step; not saved */
  double *x, *v, *f;         /* [n_atoms][3] Angstrom, Angstrom/fs, eV/Angstrom */
};

struct irrep_md {
  struct irrep_md_options options; /* complete: zeros have become what they stand for */
  size_t n_atoms;
  bool pbc[3];
  bool is_started; /* the first forces have been told */
  enum irrep_md_state state;
  struct irrep_error failure;
  double n_free;           /* degrees of freedom */
  double first_cell[3][3]; /* Angstrom */
  double volume;           /* Angstrom^3, of the cell at the beginning; 0 with an open axis */
  double spread;           /* of that cell: its volume by the product of its lengths */
  int32_t *numbers;        /* [n_atoms] */
  double *masses;          /* [n_atoms] u, as they were given */
  unsigned char *fixed;    /* [n_atoms] 0 or 1 */
  struct md_point done;    /* the last complete step */
  struct md_point ahead;   /* on the way to the next one: its x and cell are asked for */
  void *memory;            /* of all arrays */
};

/* A trajectory with arrays for n atoms, all zero; NULL: no memory. */
struct irrep_md *md_alloc(size_t n_atoms);

/* Begins what irrep_md_new or irrep_md_restore has filled: options, atoms, and `done`. */
void md_start(struct irrep_md *md);

/* The mass of an atom, eV fs^2 / Angstrom^2. */
double md_mass(const struct irrep_md *md, size_t atom);

/* kT that the thermostat wants at a step, eV. */
double md_kt(const struct irrep_md *md, uint64_t step);

/* Twice the kinetic energy as a matrix: the sum of m v v, eV. Its trace. */
void md_kinetic(const struct irrep_md *md, const double *v, double out[3][3]);
double md_kinetic_trace(const struct irrep_md *md, const double *v);

/* The volume that the rows of a cell span, Angstrom^3. */
double md_volume(const double cell[3][3]);

/* v += forces / masses time, x += v time, for atoms that are not fixed. */
void md_kick(const struct irrep_md *md, struct md_point *at, double time);
void md_move(const struct irrep_md *md, struct md_point *at, double time);

#endif
