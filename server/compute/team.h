/* A team: idle threads that help the one that evaluates a batch, and leave when they are wanted
 * elsewhere. The numbers do not depend on who helps, nor when (irrep_team).
 *
 * All teams of a group of threads share one mutex, here "the mutex". */
#ifndef SERVER_COMPUTE_TEAM_H
#define SERVER_COMPUTE_TEAM_H

#include "irrep/conventions.h"
#include "irrep/model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct team {
  struct irrep_team core; /* what irrep_model_evaluate is given */
  /* Private, all written under the mutex but next_task; atomics are read without it too */
  pthread_mutex_t *mutex;
  pthread_cond_t changed;
  atomic_bool open;              /* helpers may come */
  bool sharing;                  /* there are tasks */
  bool taken[IRREP_HELPERS_MAX]; /* places of helpers */
  size_t n_helping;
  uint64_t helped_ns; /* by helpers, in tasks; read once the team is finished */
  atomic_size_t n_working;
  atomic_uint_fast64_t round; /* of tasks shared out */
  void (*task)(void *context, size_t thread, size_t index);
  void *context;
  size_t n_tasks;
  atomic_size_t next_task;
  struct team *next; /* of those that are open; the caller's */
};

/* A team with a place for each scratch [n_helpers], of which there may be none. false: the system
 * gives no condition variable. */
bool team_init(struct team *team, pthread_mutex_t *mutex, size_t n_helpers, void *const *scratch);

/* Waits until all helpers have left. Without the mutex. */
void team_fini(struct team *team);

/* With the mutex held: whether one more could help. */
bool team_has_place(const struct team *team);

/* Helps until the team is finished or *wanted becomes true; whoever sets it calls team_wake too.
 * With the mutex held, which is given up meanwhile; there must be a place. Returns the number of
 * tasks done. */
size_t team_help(struct team *team, const atomic_bool *wanted);

/* With the mutex held: helpers that wait look at *wanted. */
void team_wake(struct team *team);

#endif
