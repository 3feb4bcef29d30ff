/* What of a request may wait: shares of the queue, and memory. Used on the loop thread only. */
#ifndef SERVER_JOBS_ADMISSION_H
#define SERVER_JOBS_ADMISSION_H

#include "server/jobs/predict_job.h"

/* Finds out what a job whose body is there may come to take, and fails it where there can never be
 * room for that. */
void admission_judge_body(struct predict_job *job);

/* Whether there is room for all that; then the job holds it from now on. */
bool admission_let_in(struct predict_job *job);

/* Takes the room for what is as wide as the model has it, which is known once the structures are
 * planned, and makes it; or fails the job. */
void admission_let_widen(struct predict_job *job);

/* Fails a job whose n structures find no room in the queue. */
void admission_judge(struct predict_job *job, size_t n);

/* Fails a job that has waited for room for as long as a request may take; whether it has. */
bool admission_is_late(struct predict_job *job, uint64_t now_ns);

#endif
