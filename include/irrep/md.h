/* Molecular dynamics: the motion of one structure, for a program that computes forces.
 *
 *   irrep_md_new       begins a trajectory
 *   irrep_md_ask       says where energy, forces and stress are wanted
 *   irrep_md_tell      takes them, and goes on to where they are wanted next
 *   irrep_md_completed shows the step that is complete
 *   irrep_md_save      writes all of it as bytes, from which irrep_md_restore goes on
 *   irrep_md_free
 *
 * A trajectory is a state machine: it calls nothing, and knows no clock, no file and no thread. Its
 * bits depend on nothing but what irrep_md_new and irrep_md_tell were given: not on what else runs,
 * nor on whether it was saved and restored on the way, on any processor whose doubles are those of
 * IEEE 754.
 *
 *   while (irrep_md_ask(md, &structure) == IRREP_MD_RUNNING) {
 *     ... energy, forces and stress of the structure ...
 *     irrep_md_tell(md, energy, forces, stress);
 *   }
 *
 * A run of n steps asks n + 1 times: step 0 is the structure that was given.
 *
 * Units: Angstrom, fs, eV, u, K and GPa; velocities in Angstrom/fs. Constants are CODATA 2014, as
 * in ASE's ase.units. Distinct trajectories are independent: each may be used by one thread at a
 * time. */
#ifndef IRREP_MD_H
#define IRREP_MD_H

#include "irrep/status.h"
#include "irrep/structure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opaque. */
struct irrep_md;

/* What is held fixed in the mean. */
enum irrep_md_ensemble {
  IRREP_MD_NVE, /* energy and cell: velocity Verlet */
  IRREP_MD_NVT, /* temperature and cell */
  IRREP_MD_NPT  /* temperature and pressure; all three axes have to be periodic */
};

enum irrep_md_thermostat {
  IRREP_MD_THERMOSTAT_USUAL,    /* Nose-Hoover chains under MTK, otherwise Langevin */
  IRREP_MD_THERMOSTAT_LANGEVIN, /* BAOAB: Leimkuhler and Matthews 2013 */
  IRREP_MD_THERMOSTAT_CSVR, /* stochastic velocity rescaling: Bussi, Donadio and Parrinello 2007 */
  IRREP_MD_THERMOSTAT_NOSE_HOOVER /* chains: Martyna, Klein and Tuckerman 1992; the only one under
                                     MTK */
};

enum irrep_md_barostat {
  IRREP_MD_BAROSTAT_USUAL,     /* stochastic cell rescaling */
  IRREP_MD_BAROSTAT_C_RESCALE, /* Bernetti and Bussi 2020; del Tatto et al. 2022 */
  IRREP_MD_BAROSTAT_MTK        /* Martyna, Tobias and Klein 1994 */
};

/* What of the cell follows the pressure. */
enum irrep_md_coupling {
  IRREP_MD_ISOTROPIC,   /* its volume */
  IRREP_MD_ANISOTROPIC, /* its extents along x, y and z, each by itself: a cell whose vectors lie
                           along the axes keeps its angles */
  IRREP_MD_TRICLINIC    /* all of it but its orientation */
};

/* What becomes of the motion of the whole at step 0. Nothing is removed where atoms are fixed,
 * which hold the others. */
enum irrep_md_drift {
  IRREP_MD_DRIFT_USUAL,  /* removed from velocities that are drawn, left in those that are given */
  IRREP_MD_DRIFT_REMOVE, /* removed from either */
  IRREP_MD_DRIFT_KEEP    /* left in either */
};

/* How a trajectory runs. Where zero is no sensible value, it stands for the usual one. */
struct irrep_md_options {
  size_t struct_size; /* sizeof(struct irrep_md_options); see "Versions" in conventions.h */
  enum irrep_md_ensemble ensemble;
  enum irrep_md_thermostat thermostat; /* of NVT and NPT */
  enum irrep_md_barostat barostat;     /* of NPT */
  enum irrep_md_coupling coupling;     /* of NPT */
  enum irrep_md_drift drift;
  bool has_ramp;          /* of NVT and NPT: the temperature changes */
  double timestep;        /* fs, above 0 and at most IRREP_MD_TIMESTEP_MAX; negative is refused */
  uint64_t n_steps;       /* at most IRREP_MD_STEPS_MAX; 0 asks for step 0 alone */
  double temperature;     /* K: of the thermostat, and of velocities that are drawn. At least 0,
                             above 0 for Nose-Hoover chains */
  double temperature_end; /* K: with has_ramp that of the last step, linear in between; else 0 */
  double pressure;        /* GPa: of NPT, compression positive */
  double friction;        /* 1/ps: of Langevin; 0: 1 */
  double thermostat_time; /* fs: of CSVR and Nose-Hoover chains; 0: 100 timesteps */
  double barostat_time;   /* fs: 0: 1000 timesteps */
  double compressibility; /* 1/GPa: of stochastic cell rescaling, which relaxes the pressure in
                             barostat_time if it is that of the material; 0: 0.01 */
  uint64_t seed;          /* of all random numbers */
  uint32_t structure;     /* which of the structures that share a seed this one is */
  uint32_t chain_length;  /* of Nose-Hoover chains, at most IRREP_MD_CHAIN_MAX; 0: 3 */
  /* That share the kinetic energy; 0: counted, 3 for each atom that is not fixed, less 3 where the
   * momentum of the whole is zero and stays zero: nothing is fixed, and there is no Langevin
   * thermostat. */
  uint64_t degrees_of_freedom;
  double move_max; /* Angstrom: the trajectory fails where an atom would move farther in one
                      step; 0: 2 */
};

#define IRREP_MD_OPTIONS_INIT                                                                      \
  {                                                                                                \
    sizeof(struct irrep_md_options), IRREP_MD_NVE, IRREP_MD_THERMOSTAT_USUAL,                      \
        IRREP_MD_BAROSTAT_USUAL, IRREP_MD_ISOTROPIC, IRREP_MD_DRIFT_USUAL, false, 0.0, 0, 0.0,     \
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0.0,                                             \
  }

#define IRREP_MD_TIMESTEP_MAX 1000.0
#define IRREP_MD_STEPS_MAX ((uint64_t)1 << 40)
#define IRREP_MD_CHAIN_MAX 8

/* What the atoms of a structure have besides their places. The caller owns the arrays. */
struct irrep_md_atoms {
  size_t struct_size;       /* sizeof(struct irrep_md_atoms); see "Versions" in conventions.h */
  const double *velocities; /* [n_atoms][3] Angstrom/fs; NULL: drawn from Maxwell and Boltzmann's
                               distribution at the first temperature. Those of fixed atoms are
                               zero, whatever is given */
  const double *masses;     /* [n_atoms] u, finite and above 0; NULL: those of the elements */
  const uint32_t *fixed;    /* [n_fixed] indices of atoms that do not move, in any order; not under
                               a barostat */
  size_t n_fixed;
};

#define IRREP_MD_ATOMS_INIT                                                                        \
  { sizeof(struct irrep_md_atoms), NULL, NULL, NULL, 0 }

enum irrep_md_state {
  IRREP_MD_RUNNING, /* waits for energy and forces */
  IRREP_MD_DONE,    /* the last step is complete */
  IRREP_MD_FAILED   /* irrep_md_failure says why */
};

/* A step that is complete. The arrays are the trajectory's, and stay as they are until
 * irrep_md_tell or irrep_md_free. */
struct irrep_md_frame {
  size_t struct_size;  /* sizeof(struct irrep_md_frame); see "Versions" in conventions.h */
  uint64_t step;       /* from 0 */
  double time;         /* fs, from 0 */
  double potential;    /* eV: the energy that was told */
  double kinetic;      /* eV */
  double conserved;    /* eV: what the equations of motion would keep, were the timestep infinitely
                          short and the temperature constant: potential and kinetic energy, and what
                          thermostat and barostat hold or have given */
  double temperature;  /* K: of the kinetic energy, by degrees of freedom */
  double target;       /* K: of the thermostat at this step; 0 in NVE */
  bool has_pressure;   /* stress was told and all three axes are periodic */
  double pressure;     /* GPa: a third of the trace of minus the stress below */
  double stress[3][3]; /* eV/Angstrom^3: what was told and the kinetic part, ASE's sign */
  double cell[3][3];   /* Angstrom */
  const double *positions;  /* [n_atoms][3] Angstrom; atoms are never put back into the cell */
  const double *velocities; /* [n_atoms][3] Angstrom/fs */
  const double *forces;     /* [n_atoms][3] eV/Angstrom: as told, those on fixed atoms as well */
  size_t n_atoms;
  uint64_t degrees_of_freedom;
};

#define IRREP_MD_FRAME_INIT                                                                        \
  {                                                                                                \
    sizeof(struct irrep_md_frame), 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, false, 0.0,                    \
        {{0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}},                                       \
        {{0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}, {0.0, 0.0, 0.0}}, NULL, NULL, NULL, 0, 0,               \
  }

/* Begins a trajectory. Everything is copied, and may go afterwards.
 *
 *   atoms  NULL: velocities are drawn, masses are those of the elements, and nothing is fixed
 *
 * On OK *md is owned by the caller (irrep_md_free), otherwise NULL. BAD_ARGUMENT (an option, a
 * mass, an index, nothing that could move, velocities of zero that CSVR should scale), NO_ATOMS,
 * NOT_FINITE (positions, cell, velocities), SINGULAR_CELL, TOO_LARGE, NO_MEMORY; error->field names
 * the option, or the array and the atom. Thread-safe. */
enum irrep_status irrep_md_new(const struct irrep_md_options *options,
                               const struct irrep_structure *structure,
                               const struct irrep_md_atoms *atoms, struct irrep_md **md,
                               struct irrep_error *error);

/* Where energy and forces are wanted. While it is IRREP_MD_RUNNING, *structure, unless it is NULL,
 * becomes a view of the trajectory's atoms and cell, which stays as it is until irrep_md_tell or
 * irrep_md_free. Asking changes nothing. */
enum irrep_md_state irrep_md_ask(const struct irrep_md *md, struct irrep_structure *structure);

/* Whether irrep_md_tell needs the stress, that is, whether there is a barostat. */
bool irrep_md_needs_stress(const struct irrep_md *md);

/* Takes what belongs to the structure of irrep_md_ask, and computes until the next one is known.
 *
 *   energy  eV
 *   forces  [n_atoms][3] eV/Angstrom
 *   stress  [3][3] eV/Angstrom^3, symmetric, ASE's sign; NULL: not known, so that frames have no
 *           pressure
 *
 * Returns the state that follows. A number that is not finite, no stress where it is needed, an
 * atom that would move farther than move_max, and a cell that collapses or is sheared too far end
 * the trajectory as IRREP_MD_FAILED; the last complete step stays. Allocates nothing; linear in
 * atoms. Does nothing when the trajectory is not running. */
enum irrep_md_state irrep_md_tell(struct irrep_md *md, double energy, const double *forces,
                                  const double *stress);

/* Why and at which step a trajectory has failed; NULL while it has not. RESULT_NOT_FINITE,
 * BAD_ARGUMENT (no stress) or DIVERGED; the field is "step", or names an array and an atom. */
const struct irrep_error *irrep_md_failure(const struct irrep_md *md);

/* Shows the last step that is complete. BAD_ARGUMENT: a struct_size, or none is complete yet. */
enum irrep_status irrep_md_completed(const struct irrep_md *md, struct irrep_md_frame *frame,
                                     struct irrep_error *error);

/* How many bytes irrep_md_save writes: the same for the whole trajectory. */
size_t irrep_md_bytes(const struct irrep_md *md);

/* Writes the trajectory as it is after its last complete step: little-endian, with a version and a
 * checksum.
 *   bytes  [irrep_md_bytes] */
void irrep_md_save(const struct irrep_md *md, void *bytes);

/* Makes a trajectory of what irrep_md_save wrote, on this machine or another. It asks for what the
 * saved one asked for, and goes on with the same bits. On OK *md is owned by the caller
 * (irrep_md_free), otherwise NULL. BAD_ARGUMENT: not such bytes, or damaged, or of a version of the
 * format that this one does not know; NO_MEMORY. Thread-safe. */
enum irrep_status irrep_md_restore(const void *bytes, size_t n_bytes, struct irrep_md **md,
                                   struct irrep_error *error);

/* Frees a trajectory; does nothing for NULL. */
void irrep_md_free(struct irrep_md *md);

/* The standard atomic weight of an element in u (IUPAC 2016, as in ASE's ase.data.atomic_masses); 0
 * for a number that is no element. Thread-safe. */
double irrep_atomic_mass(int32_t number);

#ifdef __cplusplus
}
#endif

#endif
