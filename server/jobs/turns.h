/* Turns on workers for what is too large for the loop: a request is read, and its structures are
 * planned, so much at a time, and then others are served.
 *
 * The next turn is that of the client who has waited for longest since its last one, so that many
 * requests of one client take no more than one of another. Interactive requests go before bulk
 * ones, which have every fourth turn. Structures that are being planned take their places in the
 * queue already. Used on the loop thread only. */
#ifndef SERVER_JOBS_TURNS_H
#define SERVER_JOBS_TURNS_H

#include "server/jobs/predict_job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised it is empty. */
struct turns {
  uint64_t n;        /* that have been given */
  size_t since_bulk; /* of them, since bulk had one or none waited */
  /* PLAN_DUE or PLANNING */
  size_t n_requests, n_structures;
  size_t queued_structures, queued_atoms; /* of those that will be queued: no estimate's */
};

/* A job has come: whoever is new stands behind those who wait. */
void turns_enter(struct predict_job *job);

/* The job whose turn it is, of those due ones of the predictor that count; NULL when there is none.
 */
struct predict_job *turns_next(const struct predictor *predictor,
                               bool (*counts)(const struct predict_job *job));

/* The job gets a turn now. */
void turns_give(struct predict_job *job);

/* Its structures wait to be planned from now on, or no longer. Nothing happens twice. */
void turns_begin_planning(struct predict_job *job);
void turns_end_planning(struct predict_job *job);

#endif
