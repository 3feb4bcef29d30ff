/* The model that a job is computed with: found in memory, or awaited while it is loaded. Used on
 * the loop thread only. */
#ifndef SERVER_JOBS_JOB_MODEL_H
#define SERVER_JOBS_JOB_MODEL_H

#include "server/jobs/predict_job.h"

/* Finds the model of a job, which holds it if it is in memory; otherwise the job has failed, or
 * holds none yet. */
void job_model_find(struct predict_job *job, const char *model);

/* As load_waiter.loaded (registry.h), which gives what it is told to job_model_loaded. */
typedef void (*job_model_done)(struct load_waiter *waiter, struct loaded_model *loaded);

/* Holds the models of the committee that the request has, if it has one. true: all models are held,
 * or the job has failed; false: it has to await one of them. */
bool job_model_hold_all(struct predict_job *job);

/* Whether all models that a job needs are held. Thread-safe on distinct jobs. */
bool job_model_is_there(const struct predict_job *job);

/* Has the model loaded that a job lacks whose body has been read; the job is LOADING until done is
 * called. */
void job_model_await(struct predict_job *job, job_model_done done);

/* The job that has waited, RECEIVED again, which holds the model from now on; NULL: it has failed,
 * and there is nothing more to do. */
struct predict_job *job_model_loaded(struct load_waiter *waiter, struct loaded_model *loaded);

#endif
