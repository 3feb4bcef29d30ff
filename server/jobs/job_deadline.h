/* Deadlines of requests. Those of structures that are in the scheduler it keeps itself; here are
 * those of jobs that wait for their model or to be planned. Used on the loop thread only. */
#ifndef SERVER_JOBS_JOB_DEADLINE_H
#define SERVER_JOBS_JOB_DEADLINE_H

#include "server/jobs/predict_job.h"

#include <stdint.h>

/* Fills the problem of a deadline that has passed. */
void job_deadline_problem(const struct predict_job *job, struct problem *problem);

/* From now on a job that is LOADING or PLAN_DUE fails when its deadline passes. */
void job_deadline_watch(struct predict_job *job);

/* Fails a job that a worker has brought back, if its deadline has passed; the event is the
 * caller's.
 */
void job_deadline_judge(struct predict_job *job, uint64_t now_ns);

/* Fails the jobs whose deadline has passed, sets the timer for the next, and returns that;
 * SCHEDULER_NEVER: there is none. */
uint64_t job_deadline_run(struct predictor *predictor, uint64_t now_ns);

#endif
