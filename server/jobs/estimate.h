/* The JSON answer of an estimate call: what a request would take, of which nothing is computed. */
#ifndef SERVER_JOBS_ESTIMATE_H
#define SERVER_JOBS_ESTIMATE_H

#include "core/base/text.h"
#include "server/jobs/predict_job.h"

/* Writes the answer of a planned job. queue_seconds: until what waits now is done. Times are
 * those with all workers idle, null where nothing has been measured yet. Thread-safe on distinct
 * texts. */
void estimate_write(struct text *text, const struct predict_job *job, double queue_seconds);

#endif
