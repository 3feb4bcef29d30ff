/* The inside of a predictor, for predict.c (calls and their jobs) and predictor.c (what is common
 * to them: scheduler, workers, life). Used on the loop thread only. */
#ifndef SERVER_JOBS_PREDICTOR_H
#define SERVER_JOBS_PREDICTOR_H

#include "server/compute/clients.h"
#include "server/compute/compute.h"
#include "server/compute/profile.h"
#include "server/compute/scheduler.h"
#include "server/jobs/predict_job.h"

struct predictor {
  uv_loop_t *loop;
  const struct config *config;
  struct registry *registry;
  struct metrics *metrics;
  struct compute compute; /* what batches are computed with */
  struct scheduler *scheduler;
  struct workers *workers;
  struct clients clients;
  struct profile_totals profile;
  uv_timer_t *timer; /* on the heap: libuv keeps them until the loop has run again */
  uv_idle_t *idle;
  struct predict_job *unread, **unread_end; /* to be read or planned on workers */
  struct predict_job *ready, **ready_end;   /* to be delivered */
  size_t n_jobs;
  size_t n_reading;  /* of them on workers now */
  size_t tree_bytes; /* that are being read */
  size_t held_bytes; /* of bodies that wait to be read, and of requests since */
  bool draining;
  void (*drained)(void *context);
  void *drained_context;
};

/* Hands the structures of a planned job to the scheduler, or fails it. */
void predictor_schedule(struct predict_job *job);

/* Begins what is due, and sets the timer for what will be. */
void predictor_run(struct predictor *predictor);

/* Whether so many bytes more may be held. */
bool predictor_may_hold(const struct predictor *predictor, size_t bytes);

/* A structure has left the queue: gives its place back to the client. */
void predictor_left_queue(struct predict_job *job);

void predictor_update_gauges(struct predictor *predictor, const struct served_model *served);

/* Seconds until what waits now is done, as measured. */
double predictor_backlog_seconds(const struct predictor *predictor);

/* In predict.c: */

/* The job is to be delivered; never from inside a call. */
void predict_make_ready(struct predict_job *job);

/* Delivers what is ready. */
void predict_deliver(uv_idle_t *idle);

/* Nobody needs the job any more. */
void predict_free_job(struct predict_job *job);

/* The job is no longer being read. */
void predict_leave_reading(struct predict_job *job);

#endif
