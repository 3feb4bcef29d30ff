/* The driver of one structure's relaxation or dynamics: a state machine of the core (irrep/relax.h,
 * irrep/md.h) that asks for forces step by step, and the JSON of what it tells on the way.
 *
 *   begin -> ASKS -> request() -> (queue, batch, worker) -> answer() -> WAITS -> step -> ASKS |
 * ENDS
 *
 * answer() only keeps the results: the step after them is the owner's to call, on the loop or,
 * where it is long, on a worker. One whose steps are short has a stepper, which takes them on the
 * worker that has the results: then is_ahead says that there is nothing left to step. What a
 * trajectory tells depends on its spec and its structure alone. Used by one thread at a time, but
 * for trajectory_hold. */
#ifndef SERVER_DRIVERS_TRAJECTORY_H
#define SERVER_DRIVERS_TRAJECTORY_H

#include "core/base/text.h"
#include "server/codec/codec_trajectory.h"
#include "server/compute/stepper.h"
#include "server/jobs/driver.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No step has been told. */
#define TRAJECTORY_NEVER UINT64_MAX

enum trajectory_end {
  TRAJECTORY_RUNS,
  TRAJECTORY_CONVERGED, /* of a relaxation */
  TRAJECTORY_ENDED,     /* all steps are taken */
  TRAJECTORY_FAILED     /* the problem says why */
};

/* What frames and results are: lines of a stream; elements of an answer, of which results lack
 * their last brace, as frames may come in; or rows of numbers (trajectory_rows.h), but for that of
 * one that has failed. */
enum trajectory_form { TRAJECTORY_EVENTS, TRAJECTORY_PLAIN, TRAJECTORY_ROWS };

struct trajectory {
  struct driver driver; /* first */
  /* Set by trajectory_new */
  const struct trajectory_spec *spec;
  const struct request *request; /* the structure is its item `index` */
  size_t index;
  enum trajectory_form form; /* of frames and results */
  /* Read-only: after each step */
  enum trajectory_end end;
  struct problem problem;     /* after FAILED */
  uint64_t n_steps;           /* complete */
  double energy, temperature; /* eV, K; NaN where there is none */
  double forces_std;          /* eV/Angstrom, of the last answer; NaN without a committee */
  bool is_stopped;            /* it has ended because that was more than the spec's bound */
  bool has_frame;             /* this step has one, */
  uint64_t frame_step;        /* of this number */
  struct text frame;          /* a JSON object or a row, until the next step */
  struct text result;         /* likewise, once it has ended */
  bool is_ahead; /* the step after the results that answer() has had is taken: the owner's to clear
                  */
  /* The owner's to set before begin: frames up to this step have been told already */
  uint64_t told_step;
  /* Private */
  struct stepper stepper;
  atomic_bool is_held;
  struct irrep_relax *relax;
  struct irrep_md *md;
  struct irrep_structure asked;
  struct moving_graph *graph;
  bool has_stress;
  bool has_dispersion;
  double told_energy, told_dispersion, stress[3][3]; /* told_dispersion is a part of the energy */
  double *forces;                                    /* [n_atoms][3] */
};

/* A trajectory of one of a request's structures, which has no problem. Spec and request, which
 * nobody changes, outlive it. NULL without memory. */
struct trajectory *trajectory_new(const struct trajectory_spec *spec, const struct request *request,
                                  size_t index, const char *model, enum trajectory_form form);
void trajectory_free(struct trajectory *trajectory); /* NULL is allowed */

/* Makes the state machine: a new one, or that of saved bytes [size] where there are any. Afterwards
 * the driver ASKS, or the trajectory has ended. Like trajectory_step, it may be called on a worker.
 */
void trajectory_begin(struct trajectory *trajectory, const unsigned char *saved, size_t size);

/* Takes the step after the results that answer() has kept. */
void trajectory_step(struct trajectory *trajectory);

/* Whether trajectory_begin, and trajectory_step, are short enough for the loop. */
bool trajectory_begins_quickly(const struct trajectory *trajectory);
bool trajectory_steps_quickly(const struct trajectory *trajectory);

/* Whether a worker is to leave the loop the word after the evaluation that is under way, be it that
 * of the last step or not, instead of going on. Thread-safe. */
void trajectory_hold(struct trajectory *t, bool is_held);

/* Ends it with a problem that came from outside. */
void trajectory_fail(struct trajectory *trajectory, const struct problem *problem);

/* Appends its state to bytes, from which trajectory_begin goes on; to be called while it ASKS or
 * WAITS, or before it has begun: then there is none. */
void trajectory_save(const struct trajectory *trajectory, struct text *bytes);

#endif
