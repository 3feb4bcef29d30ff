/* The model that a job is computed with: found in memory, or awaited while it is loaded. Used on
 * the loop thread only. */
#ifndef SERVER_JOBS_JOB_MODEL_H
#define SERVER_JOBS_JOB_MODEL_H

#include "server/jobs/predict_job.h"

/* Finds the model of a job, which holds it if it is in memory; otherwise the job has failed, or
 * holds none yet. */
void job_model_find(struct predict_job *job, const char *model);

/* Has the model of a job loaded whose body has been read; the job is LOADING, and job_go_on is
 * called when the model is there. */
void job_model_await(struct predict_job *job);

#endif
