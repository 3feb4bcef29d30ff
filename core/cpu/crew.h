/* Who takes part in one evaluation: irrep_evaluate_options. */
#ifndef CORE_CPU_CREW_H
#define CORE_CPU_CREW_H

#include "irrep/model.h"

#include <stdbool.h>
#include <stddef.h>

/* Asks whether an evaluation shall end early. */
struct cancelling {
  bool (*cancelled)(void *context);
  void *context;
};

/* All of it is the caller's, and NULL where there is none. */
struct crew {
  const struct irrep_team *team;         /* threads that help */
  const struct irrep_profile *profile;   /* is told what time is spent on */
  const struct irrep_exchange *exchange; /* where the batch is one graph */
  const struct cancelling *cancelling;   /* is asked before each tile */
};

bool crew_is_cancelled(const struct crew *crew);

/* Threads, the calling one included. */
size_t crew_size(const struct crew *crew);

/* Calls task(context, thread, index) once for each index below n_tasks, on threads below crew_size,
 * several at a time, in any order. Returns when all are done. */
void crew_share(const struct crew *crew, void (*task)(void *context, size_t thread, size_t index),
                void *context, size_t n_tasks);

/* Tells the profile, if there is one, that a thread has done a piece of an operation. */
static inline void crew_note(const struct crew *crew, size_t thread, const char *operation,
                             bool adjoint) {
  if (crew->profile)
    crew->profile->note(crew->profile->context, thread, operation, adjoint);
}

#endif
