/* Helping threads for one evaluation at a time, with the server's team, for callers from Python. */
#include "server/compute/team.h"

#include <stdlib.h>

struct helper {
  pthread_t thread;
  struct pool *pool;
};

struct pool {
  struct team team; /* first: its address is the pool's, and that of its struct irrep_team */
  pthread_mutex_t lock;
  size_t n_threads;
  struct helper helpers[];
};

struct irrep_team *team_new(size_t n_helpers, void *const *scratch);
void team_free(struct irrep_team *team);

static void *helper_main(void *data) {
  struct pool *pool = ((struct helper *)data)->pool;
  const atomic_bool never = false;
  pthread_mutex_lock(&pool->lock);
  team_help(&pool->team, &never);
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

/* Stops the helpers that were started and frees the pool. */
void team_free(struct irrep_team *team) {
  struct pool *pool = (struct pool *)team;
  team_fini(&pool->team);
  for (size_t i = 0; i < pool->n_threads; i++)
    pthread_join(pool->helpers[i].thread, NULL);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

/* A team of n_helpers, at most IRREP_HELPERS_MAX, owned by the caller (team_free); NULL where the
 * system gives no memory or thread. The scratch buffers, [n_helpers], stay the caller's and must
 * outlive it. */
struct irrep_team *team_new(size_t n_helpers, void *const *scratch) {
  struct pool *pool = calloc(1, sizeof *pool + n_helpers * sizeof *pool->helpers);
  if (!pool)
    return NULL;
  pthread_mutex_init(&pool->lock, NULL);
  if (n_helpers > IRREP_HELPERS_MAX || !team_init(&pool->team, &pool->lock, n_helpers, scratch)) {
    free(pool);
    return NULL;
  }
  for (; pool->n_threads < n_helpers; pool->n_threads++) {
    struct helper *helper = &pool->helpers[pool->n_threads];
    helper->pool = pool;
    if (pthread_create(&helper->thread, NULL, helper_main, helper) != 0) {
      team_free(&pool->team.core);
      return NULL;
    }
  }
  return &pool->team.core;
}
