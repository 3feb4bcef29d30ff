/* The end of a job: its answer is written, and delivered by the next turn of the loop. Used on the
 * loop thread only. */
#ifndef SERVER_JOBS_JOB_DELIVERY_H
#define SERVER_JOBS_JOB_DELIVERY_H

#include "server/jobs/predict_job.h"

/* Every structure of a job has its outcome: has the answer written by a worker, if it is long, and
 * makes the job READY. */
void job_finish(struct predict_job *job);

/* Delivers what is READY now, and frees it; what becomes so meanwhile waits for the next turn. */
void jobs_deliver(struct predictor *predictor);

#endif
