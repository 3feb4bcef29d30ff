/* Reading and planning: small requests at once on the loop, others in turns on half of the workers.
 * Used on the loop thread only. */
#ifndef SERVER_JOBS_JOB_READING_H
#define SERVER_JOBS_JOB_READING_H

#include "server/jobs/predict_job.h"

/* Reads (unless it has come without a body) a job that is RECEIVED, here or on a worker, waits for
 * its model unless it holds it, plans its structures, and hands them to the scheduler. */
void job_read(struct predict_job *job);

/* The same for one that has been read. */
void job_go_on(struct predict_job *job);

struct predictor;

/* Memory has been given back: bodies that wait for it are read. */
void job_reading_go_on(struct predictor *predictor);

#endif
