/* The inside of a predictor, for the files of jobs/ that share it. Used on the loop thread only. */
#ifndef SERVER_JOBS_PREDICTOR_H
#define SERVER_JOBS_PREDICTOR_H

#include "server/base/ledger.h"
#include "server/compute/clients.h"
#include "server/compute/compute.h"
#include "server/compute/profile.h"
#include "server/compute/scheduler.h"
#include "server/jobs/job_life.h"
#include "server/jobs/predict_job.h"
#include "server/jobs/turns.h"
#include "server/models/dispersion_data.h"

struct predictor {
  uv_loop_t *loop;
  const struct config *config;
  struct registry *registry;
  struct metrics *metrics;
  struct compute compute; /* what batches are computed with */
  struct graph_store graphs;
  struct dispersion_data dispersion;
  struct scheduler *scheduler;
  struct workers *workers;
  struct clients clients;
  struct profile_totals profile;
  uv_timer_t *timer; /* on the heap: libuv keeps them until the loop has run again */
  uv_idle_t *idle;
  struct job_list loading;    /* LOADING */
  struct job_list due;        /* READ_DUE or PLAN_DUE */
  struct turns turns;         /* theirs */
  uint64_t early_deadline_ns; /* none of LOADING or PLAN_DUE is earlier; may be too early */
  struct job_list ready;      /* READY */
  size_t n_jobs;
  size_t n_reading;  /* of them READING or PLANNING */
  struct ledger own; /* where nobody else has one */
  struct ledger *ledger;
  struct ledger_waiter waiter; /* for room to read */
  size_t n_illegal;            /* events that no table of states knows: 0, or there is a bug */
  size_t n_holds;              /* who have more to submit before batches are to begin */
  bool run_is_due;             /* once they have */
  bool draining;
  void (*drained)(void *context);
  void *drained_context;
};

/* Hands the structures of a planned job to the scheduler, or fails it. */
void predictor_schedule(struct predict_job *job);

/* Begins what is due, and sets the timer for what will be. */
void predictor_run(struct predictor *predictor);

/* A structure has left the queue: gives its place back to the client. */
void predictor_left_queue(struct predict_job *job);

/* Tells the ledger what batches and graphs take now. */
void predictor_count_batches(struct predictor *predictor);

void predictor_update_gauges(struct predictor *predictor, const struct served_model *served);

/* Seconds until what waits now is done, as measured. */
double predictor_backlog_seconds(const struct predictor *predictor);

/* What is READY is delivered by the next turn of the loop. */
void predictor_deliver_soon(struct predictor *predictor);

#endif
