/* How a job moves: the one place that changes its state (job_state.h), and with it the list of the
 * predictor that it stands in. Used on the loop thread only. */
#ifndef SERVER_JOBS_JOB_LIFE_H
#define SERVER_JOBS_JOB_LIFE_H

#include "server/jobs/job_state.h"
#include "server/jobs/predict_job.h"

#include <stdbool.h>
#include <stddef.h>

/* Jobs in the order in which they came. */
struct job_list {
  struct predict_job *first, **end;
};

/* A list whose jobs are those of a state; empty. Not to be moved afterwards. */
void job_list_init(struct job_list *list);
void job_list_append(struct job_list *list, struct predict_job *job);
void job_list_remove(struct job_list *list, struct predict_job *job);

/* Something has happened to a job: leaves the list of its state, if that has one, and enters that
 * of the next. A job that becomes READY is delivered by the next turn of the loop. From LOADING,
 * QUEUED and RUNNING it is taken from those who would call back.
 *
 * false: the event is not legal in that state, or the job is broken by an earlier one that was not.
 * Then it is logged, the job's answer is an internal error, and the job is READY, or will be when
 * the worker that has it comes back; the caller does no more with it. */
bool job_happens(struct predict_job *job, enum job_event event);

/* Gives the job to the next worker that is free; done is called on the loop, also when the job has
 * been cancelled meanwhile. */
void job_to_worker(struct predict_job *job,
                   void (*run)(struct work *work, void *arena, size_t bytes),
                   void (*done)(struct work *work));

/* From such a done: whether nobody waits for the job, which is freed then. */
bool job_is_let_go(struct predict_job *job);

/* Counts so many bytes as the job's in the ledger, in place of those it has counted so far. */
void job_hold_bytes(struct predict_job *job, size_t bytes);

/* Counts the body, which is here; frees it, and no longer counts it. */
void job_hold_body(struct predict_job *job);
void job_drop_body(struct predict_job *job);

/* Frees a job at its end, with all that it holds. */
void job_free(struct predict_job *job);

#endif
