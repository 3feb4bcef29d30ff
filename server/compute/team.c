#include "server/compute/team.h"

#include <time.h>

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Takes tasks until none is left, or until *wanted. */
static size_t work(struct team *team, size_t thread, const atomic_bool *wanted) {
  size_t n_done = 0;
  while (!wanted || !atomic_load_explicit(wanted, memory_order_relaxed)) {
    const size_t index = atomic_fetch_add(&team->next_task, 1);
    if (index >= team->n_tasks)
      break;
    team->task(team->context, thread, index);
    n_done++;
  }
  return n_done;
}

/* A step of a small structure takes less time than a thread needs to wake: before anybody sleeps,
 * some tens of microseconds of looking. */
#define LOOKS 1000

static void pause_a_little(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void look_for_round(const struct team *team, uint64_t seen, const atomic_bool *wanted) {
  for (int i = 0; i < LOOKS && team->open && team->round == seen && !atomic_load(wanted); i++)
    pause_a_little();
}

static void look_for_end(const struct team *team) {
  for (int i = 0; i < LOOKS && team->n_working > 0; i++)
    pause_a_little();
}

/* irrep_team's run. Whoever has begun to work in this round is waited for, so that the tasks and
 * their context may go when it returns. */
static void run(void *self, void (*task)(void *, size_t, size_t), void *context, size_t n_tasks) {
  struct team *team = self;
  pthread_mutex_lock(team->mutex);
  team->task = task;
  team->context = context;
  team->n_tasks = n_tasks;
  atomic_store(&team->next_task, 0);
  team->round++;
  team->sharing = true;
  if (team->n_helping > 0)
    pthread_cond_broadcast(&team->changed);
  pthread_mutex_unlock(team->mutex);
  work(team, 0, NULL);
  pthread_mutex_lock(team->mutex);
  team->sharing = false; /* nobody begins any more; those who have still call the task */
  pthread_mutex_unlock(team->mutex);
  look_for_end(team);
  pthread_mutex_lock(team->mutex);
  while (team->n_working > 0)
    pthread_cond_wait(&team->changed, team->mutex);
  pthread_mutex_unlock(team->mutex);
}

bool team_init(struct team *team, pthread_mutex_t *mutex, size_t n_helpers, void *const *scratch) {
  *team = (struct team){.core = {.struct_size = sizeof team->core,
                                 .n_helpers = n_helpers,
                                 .scratch = scratch,
                                 .context = team,
                                 .run = run},
                        .mutex = mutex,
                        .open = true};
  return pthread_cond_init(&team->changed, NULL) == 0;
}

void team_fini(struct team *team) {
  pthread_mutex_lock(team->mutex);
  team->open = false;
  pthread_cond_broadcast(&team->changed);
  while (team->n_helping > 0)
    pthread_cond_wait(&team->changed, team->mutex);
  pthread_mutex_unlock(team->mutex);
  pthread_cond_destroy(&team->changed);
}

bool team_has_place(const struct team *team) {
  return team->open && team->n_helping < team->core.n_helpers;
}

static size_t take_place(struct team *team) {
  size_t place = 0;
  while (team->taken[place])
    place++;
  team->taken[place] = true;
  team->n_helping++;
  return place;
}

size_t team_help(struct team *team, const atomic_bool *wanted) {
  const size_t place = take_place(team);
  uint64_t seen = 0;
  size_t n_done = 0;
  while (team->open && !atomic_load(wanted)) {
    if (!team->sharing || team->round == seen) {
      seen = team->round;
      pthread_mutex_unlock(team->mutex);
      look_for_round(team, seen, wanted);
      pthread_mutex_lock(team->mutex);
      if (team->open && !atomic_load(wanted) && team->round == seen)
        pthread_cond_wait(&team->changed, team->mutex);
      continue;
    }
    seen = team->round;
    team->n_working++;
    pthread_mutex_unlock(team->mutex);
    const uint64_t begun_ns = now_ns();
    n_done += work(team, 1 + place, wanted);
    const uint64_t took_ns = now_ns() - begun_ns;
    pthread_mutex_lock(team->mutex);
    team->helped_ns += took_ns;
    if (--team->n_working == 0)
      pthread_cond_broadcast(&team->changed);
  }
  team->taken[place] = false;
  team->n_helping--;
  pthread_cond_broadcast(&team->changed);
  return n_done;
}

void team_wake(struct team *team) {
  pthread_cond_broadcast(&team->changed);
}
