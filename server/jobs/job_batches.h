/* The structures of planned jobs: into the scheduler, through the batches that it begins, to their
 * outcomes. Used on the loop thread only. */
#ifndef SERVER_JOBS_JOB_BATCHES_H
#define SERVER_JOBS_JOB_BATCHES_H

#include "server/jobs/predictor.h"

/* Hands the structures of a planned job to the scheduler, or fails it. */
void job_enqueue(struct predict_job *job);

/* What the scheduler of a predictor calls. */
struct scheduler_hooks job_batches_hooks(struct predictor *predictor);

#endif
