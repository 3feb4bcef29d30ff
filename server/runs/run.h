/* A run: the trajectories of one relax or md call, of which a bounded number is under way; what has
 * ended makes room for the next.
 *
 * Each step of each is a structure in the scheduler, which batches it with everybody's. A run tells
 * its owner what happens (frames, results), and stands still while it is held. What it tells of a
 * structure depends on the request alone; in which order structures tell does not.
 *
 * Used on the loop thread. */
#ifndef SERVER_RUNS_RUN_H
#define SERVER_RUNS_RUN_H

#include "core/base/text.h"
#include "server/base/config.h"
#include "server/base/metrics.h"
#include "server/codec/codec_trajectory.h"
#include "server/drivers/trajectory.h"
#include "server/jobs/predict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Trajectories of a run that are under way. */
#define RUN_IN_FLIGHT 64

struct run;

/* What all runs of a daemon share. */
struct run_pool {
  uv_loop_t *loop;
  const struct config *config;
  struct predictor *predictor;
  struct metrics *metrics;
  /* Gives up something that nobody waits for, where memory is needed: jobs in memory that have
   * ended. false: there is nothing. NULL: there never is. */
  bool (*give_way)(void *context);
  void *give_way_context;
  /* Private */
  size_t bytes;        /* of the state machines under way */
  size_t held;         /* what runs and their owners hold beside (run_memory.h), */
  size_t held_taken;   /* and what the ledger knows of that */
  struct run *waiting; /* for some of them */
  size_t n_runs;       /* not yet freed, be it that a worker still has a part of them */
};

/* A frame, or with another end than TRAJECTORY_RUNS a structure's result. */
struct run_event {
  enum trajectory_end end;
  size_t structure;
  uint64_t step;    /* of the frame, or of those that are complete */
  const char *line; /* [size] as trajectory.h says of the run's form */
  size_t size;
  const struct problem *problem; /* after TRAJECTORY_FAILED */
};

/* Whom a run tells. Calls come from the loop, and not from inside run_new. */
struct run_owner {
  /* The body has been read, or the run is over for this problem. */
  void (*begun)(void *context, const struct problem *problem);
  void (*event)(void *context, const struct run_event *event);
  /* After run_hold: nothing is under way, and the run can be saved. */
  void (*quiet)(void *context);
  /* Every structure has its result; or all stands still for a problem that is not theirs: the
   * server stops. */
  void (*ended)(void *context, const struct problem *problem);
  /* A structure cannot be evaluated because its model is not there. It asks again after a run_hold,
   * which is due now, and its run_go; NULL: that is the structure's end. */
  void (*stalled)(void *context, const struct problem *problem);
  void *context;
};

/* What is known of a run that was saved, of its first n structures; the arrays outlive the run. */
struct run_past {
  const uint8_t *ends;      /* [n] enum trajectory_end of each structure */
  const uint64_t *told;     /* [n] the last frame that has been told of each, or TRAJECTORY_NEVER */
  const uint64_t *n_steps;  /* [n] that are complete of those that have ended */
  const uint64_t *saved_at; /* [n + 1] where the state of each begins in saved: no bytes where it
                               has none; NULL: none has */
  const unsigned char *saved;
  size_t n;
};

struct run_call {
  enum trajectory_kind kind;
  const char *model, *client; /* copied; client as that of a predict_call */
  char *body;                 /* [size] malloc'ed and taken */
  size_t size;
  enum trajectory_format format; /* of the body */
  enum trajectory_form form;     /* of what it tells */
  bool was_let_in;               /* before a restart: it begins whatever the room */
  double age_ms; /* since the call came, of which its deadline knows; 0: it comes now */
  const struct run_past *past; /* copied, but not its arrays; NULL: a new one */
  struct run_owner owner;
};

/* Begins a run. NULL without memory. */
struct run *run_new(struct run_pool *pool, const struct run_call *call);

/* Ends a run; its owner hears no more. NULL is allowed. */
void run_free(struct run *run);

/* From now on nothing is asked for; what is under way goes on to the end of its step, then quiet is
 * called, once, if it is wanted. The run goes on after as many calls of run_go. */
void run_hold(struct run *run, bool tells_quiet);
void run_go(struct run *run);

/* After begun: */

const struct trajectory_spec *run_spec(const struct run *run);
const struct request *run_request(const struct run *run);

struct run_progress {
  size_t n_structures, n_ended, n_failed, n_converged;
  uint64_t steps;        /* complete, of all structures */
  uint64_t steps_wanted; /* at most, of all structures */
};
struct run_progress run_progress(const struct run *run);

enum trajectory_end run_end_of(const struct run *run, size_t structure);
uint64_t run_steps_of(const struct run *run, size_t structure);

/* The energy (eV) and temperature (K) that a structure told last; NaN where there is none. */
double run_energy_of(const struct run *run, size_t structure);
double run_temperature_of(const struct run *run, size_t structure);

/* Of a quiet run: appends the state of a structure's trajectory; nothing where it has not begun. */
void run_save(const struct run *run, size_t structure, struct text *bytes);

#endif
