/* Relaxation: moves atoms, and the cell where wanted, to a minimum of the energy, or of the
 * enthalpy at a given pressure.
 *
 *   irrep_relax_new       a relaxation of one structure
 *   irrep_relax_ask       the structure whose energy, forces and stress are wanted now
 *   irrep_relax_tell      takes them, and moves on
 *   irrep_relax_report    how far it is
 *   irrep_relax_save      all of its state as bytes
 *   irrep_relax_restore   a relaxation that goes on from them, with the same bits
 *   irrep_relax_free
 *
 * A relaxation computes no energies, has no clock and does no I/O; a program evaluates what it is
 * asked for, by irrep_model_evaluate or in another way, in any order among many relaxations:
 *
 *   do {
 *     irrep_relax_ask(relax, &structure, &error);
 *     ... evaluate structure: energy, forces, stress ...
 *     irrep_relax_tell(relax, energy, forces, stress, &state, &error);
 *   } while (state == IRREP_RELAX_RUNNING);
 *
 * What a relaxation does is a function of its structure, its options and what it is told alone. It
 * takes the steps that ASE 3.29 takes (Hjorth Larsen et al., J. Phys.: Condens. Matter 29, 273002
 * (2017)) by the optimizer of the same name: papers and equations are in core/dynamics/. */
#ifndef IRREP_RELAX_H
#define IRREP_RELAX_H

#include "irrep/status.h"
#include "irrep/structure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The Hessian of BFGS is full, and every step decomposes it: more atoms are refused. */
#define IRREP_RELAX_BFGS_ATOMS_MAX 128

/* Symmetry is looked for in structures of at most this many atoms. */
#define IRREP_RELAX_SYMMETRY_ATOMS_MAX 512

/* Steps that L-BFGS may remember. */
#define IRREP_RELAX_MEMORY_MAX 1000

enum irrep_optimizer {
  IRREP_OPTIMIZER_LBFGS, /* limited-memory BFGS */
  IRREP_OPTIMIZER_BFGS,
  IRREP_OPTIMIZER_FIRE,
  IRREP_OPTIMIZER_FIRE2, /* at a step uphill it asks twice */
};

/* What of the cell may change. Atoms move with the cell. All but FIXED need a structure that is
 * periodic along all three axes, and the stress. */
enum irrep_relax_cell {
  IRREP_RELAX_CELL_FIXED,
  IRREP_RELAX_CELL_VOLUME, /* the size alone */
  IRREP_RELAX_CELL_SHAPE,  /* the shape alone, at constant volume */
  IRREP_RELAX_CELL_FULL,
};

enum irrep_relax_state {
  IRREP_RELAX_RUNNING,
  IRREP_RELAX_CONVERGED, /* fmax is below the one wanted */
  IRREP_RELAX_MAX_STEPS, /* not converged after max_steps */
  IRREP_RELAX_FAILED,    /* cannot go on; the error of irrep_relax_tell says why */
};

struct irrep_relax_options {
  size_t struct_size; /* sizeof(struct irrep_relax_options); see "Versions" in conventions.h */
  enum irrep_optimizer optimizer;
  double fmax; /* eV/Angstrom, above 0: converged once the longest force is below it. Where the cell
                  moves, so are the rows of its gradient, -dH/dU over the number of atoms, with H
                  the enthalpy and U the logarithm of the deformation (ASE's FrechetCellFilter) */
  size_t max_steps; /* 0: the structure is only judged */
  enum irrep_relax_cell cell;
  double pressure;       /* GPa; nonzero with a cell that changes its volume only */
  const bool *mask;      /* [3][3] symmetric: the components of the strain that are relaxed, with
                            IRREP_RELAX_CELL_FULL only; NULL: all. Copied */
  const uint32_t *fixed; /* [n_fixed] indices of atoms that do not move, in any order; where the
                            cell moves they keep their fractional coordinates. Copied */
  size_t n_fixed;
  bool symmetry;   /* keep the space group that spglib finds within symprec: the structure is made
                      exactly symmetric first, then forces, stress and steps are (ASE's FixSymmetry).
                      Three axes must be periodic */
  double symprec;  /* Angstrom; 0: 0.01. With symmetry only */
  double max_step; /* Angstrom, at most 1: the longest step of an atom in BFGS and L-BFGS, the
                      length of the whole step in FIRE and FIRE2; 0: 0.2 */
  size_t memory;   /* steps that L-BFGS remembers, at most IRREP_RELAX_MEMORY_MAX; 0: 100 */
  double alpha;    /* eV/Angstrom^2: the curvature that BFGS and L-BFGS begin with; 0: 70 */
  double damping;  /* factor on steps of L-BFGS, at most 1; 0: 1 */
};

/* L-BFGS at a fixed cell. */
#define IRREP_RELAX_OPTIONS_INIT                                                                   \
  {                                                                                                \
    sizeof(struct irrep_relax_options), IRREP_OPTIMIZER_LBFGS, 0.05, 500, IRREP_RELAX_CELL_FIXED,  \
        0.0, NULL, NULL, 0, false, 0.0, 0.0, 0, 0.0, 0.0,                                          \
  }

struct irrep_relax_progress {
  size_t struct_size; /* sizeof(struct irrep_relax_progress); see "Versions" in conventions.h */
  enum irrep_relax_state state;
  enum irrep_status status; /* why it FAILED; OK otherwise */
  size_t n_steps;           /* taken */
  size_t n_evaluations; /* told: n_steps + 1, and one for each step uphill of FIRE2, once ended */
  double energy;        /* eV, as told last; NaN before */
  double fmax;          /* eV/Angstrom, what is compared with the fmax wanted; NaN before */
  bool wants_stress;    /* irrep_relax_tell needs it */
};

#define IRREP_RELAX_PROGRESS_INIT                                                                  \
  { sizeof(struct irrep_relax_progress), IRREP_RELAX_RUNNING, IRREP_OK, 0, 0, 0.0, 0.0, false, }

struct irrep_relax;

/* The memory in bytes that a relaxation takes at most; SIZE_MAX where the options are bad or it
 * would overflow. Thread-safe. */
size_t irrep_relax_bytes(const struct irrep_relax_options *options, size_t n_atoms);

/* Begins a relaxation.
 *
 *   options    copied
 *   structure  copied
 *
 * On OK *relax is owned by the caller (irrep_relax_free), otherwise NULL. BAD_ARGUMENT (an option,
 * which error->field names, e.g. "fmax" or "fixed/3"; "symmetry": no space group was found),
 * NO_ATOMS, NOT_FINITE, SINGULAR_CELL, TOO_LARGE (more atoms than the optimizer or the search for
 * symmetry takes), NO_MEMORY. Takes time linear in the atoms; the search for symmetry takes from
 * milliseconds up to a second, which is not for a thread that must not wait. Thread-safe. */
enum irrep_status irrep_relax_new(const struct irrep_relax_options *options,
                                  const struct irrep_structure *structure,
                                  struct irrep_relax **relax, struct irrep_error *error);

/* Frees a relaxation; NULL is allowed. */
void irrep_relax_free(struct irrep_relax *relax);

/* Gives the structure whose energy, forces and stress are wanted; once the relaxation has ended,
 * the one that was told last. Its arrays belong to the relaxation and stay as they are until
 * irrep_relax_tell or irrep_relax_free. BAD_ARGUMENT (struct_size). */
enum irrep_status irrep_relax_ask(const struct irrep_relax *relax,
                                  struct irrep_structure *structure, struct irrep_error *error);

/* Takes what the model says of the structure asked for, and takes a step, unless that has ended the
 * relaxation.
 *
 *   energy  eV
 *   forces  [n_atoms][3] eV/Angstrom
 *   stress  [3][3] eV/Angstrom^3; NULL is allowed where wants_stress is false
 *   state   gets the state after it
 *
 * OK: *state is RUNNING, CONVERGED or MAX_STEPS. BAD_ARGUMENT (no stress where it is wanted, or
 * the relaxation has ended): nothing changes. Otherwise *state is FAILED, and error says why, and
 * after how many steps: RESULT_NOT_FINITE (an energy, a force or a stress is not finite, or a force
 * too large), DIVERGED (the next step is not finite; an atom would be further away than
 * IRREP_LENGTH_MAX; the next cell would have less than an eighth or more than eight times its
 * volume at the start, or be sheared too far: |F| > 4 |det F|^(1/3), where F is the deformation
 * since the start and |.| the root of the sum of squares).
 *
 * Time: linear in the atoms and in the steps remembered; in BFGS it goes with the third power of
 * the atoms. Allocates nothing. One thread at a time for each relaxation. */
enum irrep_status irrep_relax_tell(struct irrep_relax *relax, double energy, const double *forces,
                                   const double stress[3][3], enum irrep_relax_state *state,
                                   struct irrep_error *error);

/* Says how far a relaxation is. BAD_ARGUMENT (struct_size). */
enum irrep_status irrep_relax_report(const struct irrep_relax *relax,
                                     struct irrep_relax_progress *progress,
                                     struct irrep_error *error);

/* The bytes that irrep_relax_save writes now. */
size_t irrep_relax_save_size(const struct irrep_relax *relax);

/* Writes all of a relaxation's state, structure and options as bytes: little-endian, with a version
 * and a checksum. Between an ask and its tell is as good a moment as any: after
 * irrep_relax_restore the same structure is asked for.
 *
 *   bytes  [irrep_relax_save_size] */
void irrep_relax_save(const struct irrep_relax *relax, unsigned char *bytes);

/* Makes a relaxation of saved bytes, which goes on as the one that was saved would have, bit for
 * bit. The bytes may be damaged in any way.
 *
 * On OK *relax is owned by the caller (irrep_relax_free), otherwise NULL. BAD_ARGUMENT (bytes of
 * another kind or version, cut short or damaged), what irrep_relax_new returns of the options and
 * the structure that they hold. Thread-safe. */
enum irrep_status irrep_relax_restore(const unsigned char *bytes, size_t size,
                                      struct irrep_relax **relax, struct irrep_error *error);

#ifdef __cplusplus
}
#endif

#endif
