/* The inside of a run, for run.c (its life, and what it tells) and run_slots.c (its trajectories).
 * Used on the loop thread. */
#ifndef SERVER_RUNS_RUN_INSIDE_H
#define SERVER_RUNS_RUN_INSIDE_H

#include "server/compute/worker.h"
#include "server/jobs/drive.h"
#include "server/runs/run.h"

enum slot_stage {
  SLOT_FREE,
  SLOT_ASKING,  /* its drive has its request */
  SLOT_WORKING, /* a worker begins it, or takes its step */
  SLOT_HELD     /* it would ask, but the run is held */
};

struct slot {
  struct run *run;
  enum slot_stage stage;
  struct trajectory *trajectory;
  struct drive *drive;
  size_t bytes; /* of the pool */
  struct work work;
  bool begins; /* the work is its beginning, not a step */
};

struct run {
  struct run_pool *pool;
  struct run *next_waiting;
  struct run_owner owner;
  struct trajectory_spec spec;
  struct request request;
  enum trajectory_kind kind;
  char *model, *client, *body;
  size_t size;
  bool plain;
  /* Of each structure */
  uint8_t *ends;     /* enum trajectory_end */
  uint64_t *told;    /* the last frame */
  uint64_t *n_steps; /* complete */
  double *energies, *temperatures;
  struct run_past past;
  size_t next; /* the structure that begins next */
  size_t n_holds, n_under_way;
  size_t n_ended, n_failed, n_converged;
  bool is_read, is_reading, is_waiting, is_freed;
  /* What is to be told by the next turn of the loop */
  uv_timer_t *teller;
  bool tells_begun, fills, tells_quiet, tells_ended, has_ended;
  struct problem problem; /* status 0: none */
  struct work reading;
  struct slot slots[RUN_IN_FLIGHT];
};

/* Looks by the next turn of the loop for what is to be told. */
void run_tell_soon(struct run *run);

/* All has ended, or stands still for the run's problem. */
void run_end(struct run *run);

void run_tell_event(struct run *run, size_t structure, enum trajectory_end end, uint64_t step,
                    const struct text *line, const struct problem *problem);

/* Frees a run that is_freed, once no worker has any of it. */
void run_free_when_left(struct run *run);

/* Begins as many of the next structures as may be under way; ends the run with the last. */
void run_fill(struct run *run);

/* Frees what a slot has, with nothing under way. */
void run_free_slot(struct slot *slot);

/* The run does not wait for room any more. */
void run_leave_waiting(struct run *run);

#endif
