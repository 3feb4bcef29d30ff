/* Optimizers: from forces to the next step, over any degrees of freedom in groups of three. They
 * take the steps of ASE 3.29, to rounding. */
#ifndef CORE_DYNAMICS_OPTIMIZER_H
#define CORE_DYNAMICS_OPTIMIZER_H

#include "core/base/arena.h"
#include "core/dynamics/archive.h"
#include "core/dynamics/step_length.h"
#include "irrep/relax.h"

#include <stdbool.h>
#include <stddef.h>

struct optimizer {
  /* Settings */
  enum irrep_optimizer kind;
  size_t n;        /* degrees of freedom: rows of three */
  double max_step; /* Angstrom */
  double alpha;    /* eV/Angstrom^2 */
  double damping;
  size_t memory; /* pairs that L-BFGS has room for */
  /* FIRE and FIRE2 */
  double timestep, mixing;
  size_t n_downhill;
  double *velocities; /* [n] */
  /* BFGS and L-BFGS */
  double *last_x, *last_forces; /* [n] */
  size_t n_pairs, newest;       /* a ring of steps and of what they changed the gradient by */
  double *steps, *changes;      /* [memory][n] */
  double *inverses;             /* [memory] 1 / (step . change) */
  double *hessian;              /* [n][n] eV/Angstrom^2 */
  double *factor;               /* [n][n] scratch of BFGS */
  double *scratch;              /* [memory] in L-BFGS, [n][n + 3] in BFGS */
  bool has_last;                /* a step has been taken */
  bool is_half_way;             /* FIRE2 has asked again */
};

enum optimizer_answer {
  OPTIMIZER_STEP,
  OPTIMIZER_ASK_AGAIN, /* forces are wanted there before the step itself */
  OPTIMIZER_FAILED,    /* BFGS: the Hessian is not finite */
};

/* Takes the arrays of settings that are filled in. */
void optimizer_lay_out(struct optimizer *optimizer, struct arena *arena);

/* The state in which nothing has been told. */
void optimizer_begin(struct optimizer *optimizer);

/* The next step: x [n] and forces [n], minus the gradient there; step [n] is what to add to x. Bits
 * depend on the arguments and on what went before alone. */
enum optimizer_answer optimizer_step(struct optimizer *optimizer, const double *x,
                                     const double *forces, double *step);

/* Settings are read before optimizer_lay_out, the state after it. */
void optimizer_archive(struct optimizer *optimizer, struct archive *archive);

/* Each optimizer's */
void fire_step(struct optimizer *optimizer, const double *forces, double *step);
enum optimizer_answer fire2_step(struct optimizer *optimizer, const double *forces, double *step);
void lbfgs_step(struct optimizer *optimizer, const double *x, const double *forces, double *step);
enum optimizer_answer bfgs_step(struct optimizer *optimizer, const double *x, const double *forces,
                                double *step);

#endif
