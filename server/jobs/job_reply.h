/* The reply to a job that has its outcome: an answer in its format, an estimate, or a problem. */
#ifndef SERVER_JOBS_JOB_REPLY_H
#define SERVER_JOBS_JOB_REPLY_H

#include "server/jobs/predict_job.h"

/* Whether writing the reply is work for a worker: each number of many atoms becomes text. */
bool job_reply_is_long(const struct predict_job *job);

/* [request.n_items] eV of dispersion, in the request's memory, of a job that has its outcome; NaN
 * where there are none. NULL: they are not asked for, or told in the answer's own text. */
const double *job_reply_dispersion(const struct predict_job *job);

/* Writes the reply, without a body when there was no memory even for an error, and takes the texts
 * that batches have written. Thread-safe on distinct jobs. */
void job_reply_write(struct predict_job *job, struct reply *reply);

#endif
