/* The inside of a relaxation (irrep/relax.h). */
#ifndef CORE_DYNAMICS_RELAXATION_H
#define CORE_DYNAMICS_RELAXATION_H

#include "core/dynamics/deformation.h"
#include "core/dynamics/optimizer.h"
#include "core/dynamics/symmetry.h"
#include "irrep/relax.h"

/* Options that have been checked, with the values that zeros stand for. */
struct relax_settings {
  enum irrep_optimizer optimizer;
  double fmax;
  size_t max_steps;
  enum irrep_relax_cell cell;
  double pressure; /* GPa */
  bool mask[3][3];
  bool symmetry;
  double symprec, max_step;
  size_t memory; /* no more than max_steps */
  double alpha, damping;
};

struct irrep_relax {
  struct relax_settings settings;
  size_t n_atoms;
  /* Arrays in one block behind this struct */
  int32_t *numbers;        /* [n_atoms] */
  unsigned char *is_fixed; /* [n_atoms] */
  double *positions;       /* [n_atoms][3] Angstrom */
  double *x;               /* [n_dofs] z of deformation.h, and N U where the cell moves */
  double *forces, *step;   /* [n_dofs] scratch */
  bool pbc[3];
  struct deformation deformation;
  struct optimizer optimizer;
  struct symmetry symmetry;
  enum irrep_relax_state state;
  enum irrep_status status;
  size_t n_steps, n_evaluations;
  double energy, fmax;
};

/* Checks options for a structure of n atoms, of which pbc says what is periodic; NULL: not known.
 * options is of this version. */
enum irrep_status relax_settings_read(const struct irrep_relax_options *options, size_t n_atoms,
                                      const bool pbc[3], struct relax_settings *settings,
                                      struct irrep_error *error);

/* Checks a structure of this version: what structure_check does, and the atomic numbers. */
enum irrep_status relax_check_structure(const struct irrep_structure *structure,
                                        struct irrep_error *error);

/* A relaxation with its settings and room for n atoms, all else being zero; NULL: not enough
 * memory. */
struct irrep_relax *relax_alloc(const struct relax_settings *settings, size_t n_atoms);

/* The bytes of relax_alloc, with all that hangs on it; SIZE_MAX on overflow. */
size_t relax_alloc_bytes(const struct relax_settings *settings, size_t n_atoms);

#endif
