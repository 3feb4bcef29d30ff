/* The queue of a predictor, as all of jobs/ use it: when it is run, how much waits, and what it
 * takes of the memory. Used on the loop thread only. */
#ifndef SERVER_JOBS_PREDICTOR_QUEUE_H
#define SERVER_JOBS_PREDICTOR_QUEUE_H

#include "server/jobs/predictor.h"

/* Begins the batches that are due, and sets the timer for those that will be. */
void predictor_run(struct predictor *predictor);

/* A structure has left the queue: gives its place back to the client. */
void predictor_left_queue(struct predict_job *job);

/* Of the memory budget: the arenas of batches and the graphs of what waits. */
size_t predictor_planned_bytes(const struct predictor *predictor);

/* What batches may take now. */
size_t predictor_batches_budget(const struct predictor *predictor);

/* Tells the ledger what batches and graphs take now. */
void predictor_count_batches(struct predictor *predictor);

void predictor_update_gauges(struct predictor *predictor, const struct served_model *served);

/* Seconds until what waits now is done, as measured. */
double predictor_backlog_seconds(const struct predictor *predictor);

#endif
