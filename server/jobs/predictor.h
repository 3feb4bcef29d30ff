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
#include "server/jobs/wake.h"
#include "server/models/dispersion_data.h"

struct predictor {
  uv_loop_t *loop;
  const struct config *config;
  struct registry *registry;
  struct metrics *metrics;
  struct compute compute; /* what batches are computed with */
  struct graph_store graphs;
  struct dispersion_data *dispersion; /* for jobs that begin; NULL: there was no memory */
  struct scheduler *scheduler;
  struct workers *workers;
  struct clients clients;
  struct profile_totals profile;
  uv_timer_t *timer;          /* of the scheduler */
  uv_timer_t *deadline_timer; /* of job_deadline.h */
  struct next_turn next_turn; /* delivers what is READY */
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

#endif
