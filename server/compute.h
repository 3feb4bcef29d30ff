/* What a worker does with a batch: evaluates it, and writes each structure's answer or numbers. */
#ifndef SERVER_COMPUTE_H
#define SERVER_COMPUTE_H

#include "server/evaluator.h"
#include "server/scheduler.h"

#include <stddef.h>

/* A structure in the scheduler and what becomes of it. entry.owner points to it. */
struct prediction {
  struct entry entry;
  struct predict_job *job;
  const char *id; /* NULL: none */
  unsigned properties;
  struct irrep_result *numbers; /* where they go, with the caller's arrays, instead of an answer;
                                   NULL: an answer is wanted */
  /* After compute_batch */
  struct irrep_error error; /* status OK, or why there is no answer */
  char *answer;             /* [answer_size] element of "results", malloc'ed; NULL unless OK */
  size_t answer_size, n_edges;
};

/* Evaluates a batch of predictions and fills what comes after compute_batch in each, and the
 * batch's times. arena as evaluate takes it. Called on a worker thread; touches nothing else. */
void compute_batch(struct batch *batch, const struct evaluator *evaluator, void *arena,
                   size_t arena_bytes);

#endif
