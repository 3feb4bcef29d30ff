/* Helping threads for one evaluation at a time: a struct irrep_team for callers from Python. */
#include "irrep/model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct helper {
  pthread_t thread;
  struct pool *pool;
  size_t index; /* from 1 */
};

struct pool {
  struct irrep_team team; /* first: run() gets its address */
  pthread_mutex_t lock;
  pthread_cond_t work, done;
  void (*task)(void *context, size_t thread, size_t index);
  void *context;
  size_t n_tasks, n_busy, round;
  atomic_size_t next;
  bool stopping;
  struct helper *helpers;
};

struct irrep_team *team_new(size_t n_helpers, void *const *scratch);
void team_free(struct irrep_team *team);

static void take_tasks(struct pool *p, size_t thread) {
  for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->n_tasks;)
    p->task(p->context, thread, i);
}

static void *helper_main(void *data) {
  struct helper *self = data;
  struct pool *p = self->pool;
  size_t seen = 0;
  pthread_mutex_lock(&p->lock);
  for (;;) {
    while (p->round == seen && !p->stopping)
      pthread_cond_wait(&p->work, &p->lock);
    if (p->stopping)
      break;
    seen = p->round;
    pthread_mutex_unlock(&p->lock);
    take_tasks(p, self->index);
    pthread_mutex_lock(&p->lock);
    if (--p->n_busy == 0)
      pthread_cond_signal(&p->done);
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

static void run(struct irrep_team *team, void (*task)(void *, size_t, size_t), void *context,
                size_t n_tasks) {
  struct pool *p = (struct pool *)team;
  pthread_mutex_lock(&p->lock);
  p->task = task;
  p->context = context;
  p->n_tasks = n_tasks;
  atomic_store(&p->next, 0);
  p->n_busy = p->team.n_helpers;
  p->round++;
  pthread_cond_broadcast(&p->work);
  pthread_mutex_unlock(&p->lock);
  take_tasks(p, 0);
  pthread_mutex_lock(&p->lock);
  while (p->n_busy > 0)
    pthread_cond_wait(&p->done, &p->lock);
  pthread_mutex_unlock(&p->lock);
}

/* Stops the helpers that were started and frees the pool. */
void team_free(struct irrep_team *team) {
  struct pool *p = (struct pool *)team;
  pthread_mutex_lock(&p->lock);
  p->stopping = true;
  pthread_cond_broadcast(&p->work);
  pthread_mutex_unlock(&p->lock);
  for (size_t i = 0; i < p->team.n_helpers; i++)
    pthread_join(p->helpers[i].thread, NULL);
  pthread_cond_destroy(&p->work);
  pthread_cond_destroy(&p->done);
  pthread_mutex_destroy(&p->lock);
  free(p->helpers);
  free(p);
}

/* A team of as many helpers as could be started, owned by the caller (team_free); NULL without
 * memory. The scratch buffers, [n_helpers], stay the caller's and must outlive it. */
struct irrep_team *team_new(size_t n_helpers, void *const *scratch) {
  struct pool *p = calloc(1, sizeof *p);
  struct helper *helpers = calloc(n_helpers ? n_helpers : 1, sizeof *helpers);
  if (!p || !helpers) {
    free(p);
    free(helpers);
    return NULL;
  }
  p->team = (struct irrep_team){.scratch = scratch, .run = run};
  p->helpers = helpers;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->work, NULL);
  pthread_cond_init(&p->done, NULL);
  for (size_t i = 0; i < n_helpers; i++) {
    helpers[i] = (struct helper){.pool = p, .index = i + 1};
    if (pthread_create(&helpers[i].thread, NULL, helper_main, &helpers[i]))
      break;
    p->team.n_helpers++;
  }
  return &p->team;
}
