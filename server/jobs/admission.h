/* What of a request may wait: shares of the queue, and memory. Used on the loop thread only. */
#ifndef SERVER_JOBS_ADMISSION_H
#define SERVER_JOBS_ADMISSION_H

#include "server/jobs/predict_job.h"

/* Whether a job may hold so many bytes, in place of those it holds; one alone may hold more than
 * all together. */
bool admission_may_hold(const struct predict_job *job, size_t bytes);

/* Fails a job whose n structures find no room in the queue. */
void admission_judge(struct predict_job *job, size_t n);

#endif
