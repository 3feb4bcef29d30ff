/* The inside of a run, for its files, each of which calls those before it: run_telling.c (what it
 * tells), run_tables.c (what is known of its structures), run_pool.c (the memory that runs share),
 * run_slots.c (its trajectories), run.c (its life). Used on the loop thread. */
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
  size_t held; /* of the pool: its body, then its structures */
  enum trajectory_format format;
  enum trajectory_form form;
  /* Of each structure */
  uint8_t *ends;     /* enum trajectory_end */
  uint64_t *told;    /* the last frame */
  uint64_t *n_steps; /* complete */
  double *energies, *temperatures;
  struct run_past past;
  size_t next;          /* the structure that begins next */
  double age_ms;        /* of the call when it began */
  uint64_t begun_ns;    /* by uv_hrtime */
  uint64_t deadline_ns; /* likewise, when what has not ended has failed; 0: never */
  size_t n_holds, n_under_way;
  size_t n_ended, n_failed, n_converged;
  bool is_read, is_reading, is_waiting, is_freed;
  /* What is to be told by the next turn of the loop */
  uv_timer_t *teller;
  uv_timer_cb on_turn;
  bool tells_begun, fills, tells_quiet, tells_ended, has_ended;
  struct problem problem; /* status 0: none */
  struct work reading;
  struct slot slots[RUN_IN_FLIGHT];
};

/* Telling, by run_telling.c: on_turn is called by the next turn of the loop. */
void run_tell_soon(struct run *run);

/* All has ended, or stands still for the run's problem. */
void run_end(struct run *run);

void run_tell_event(struct run *run, size_t structure, enum trajectory_end end, uint64_t step,
                    const struct text *line, const struct problem *problem);

/* What is known of the structures, by run_tables.c: makes the tables of a run that has been read,
 * of what is past. false: without memory. */
bool run_tables_make(struct run *run);

/* Frees a run that is_freed, once no worker has any of it. */
void run_free_when_left(struct run *run);

/* Whether the deadline of the run has passed. */
static inline bool run_is_late(const struct run *run) {
  return run->deadline_ns > 0 && uv_hrtime() >= run->deadline_ns;
}

/* The pool, by run_pool.c: the bytes that the trajectory of a structure takes, and the most that
 * one may. */
size_t run_pool_need(const struct run *run, size_t structure);
size_t run_pool_most(const struct run_pool *pool);

/* Takes bytes; false: there is no room now. */
bool run_pool_take(struct run_pool *pool, size_t bytes);

/* Gives bytes back: those who wait fill their slots by the next turn of the loop. */
void run_pool_give(struct run_pool *pool, size_t bytes);

/* The run waits for room, or does not any more. */
void run_pool_wait(struct run *run);
void run_pool_leave(struct run *run);

/* Slots, by run_slots.c: begins as many of the next structures as may be under way; ends the run
 * with the last. */
void run_fill(struct run *run);

/* Frees what a slot has, with nothing under way. */
void run_free_slot(struct slot *slot);

#endif
