#include "server/compute/worker.h"

#include "irrep/conventions.h"
#include "server/os/machine.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#define WORKERS_MAX 256

/* Arenas up to this size are kept for good; larger ones go when they have been idle for a while. */
#define ARENA_KEPT ((size_t)16 << 20)
#define TRIM_EVERY_MS 5000
#define TRIM_IDLE_MS 10000

struct worker {
  struct workers *workers;
  pthread_t thread;
  pthread_cond_t wake;
  void *arena; /* the thread's, touched by nobody else */
  /* Under the mutex */
  struct work *assigned;
  size_t wanted; /* size that the arena shall have before `assigned` runs, 0: as it is */
  size_t got;    /* size that it has then */
  bool trim, quit;
  struct team *helping;
  atomic_bool called; /* it shall stop helping; set under the mutex */
  /* The loop thread's */
  struct work *running;
  size_t arena_bytes;
  uint64_t idle_since_ms;
};

struct workers {
  uv_loop_t *loop;
  uv_async_t *async; /* on the heap: libuv keeps them until the loop has run again */
  uv_timer_t *trimmer;
  pthread_mutex_t mutex;
  size_t n, n_idle;
  size_t budget, reserve; /* of which `reserve` is taken by others */
  struct team *teams;     /* open; under the mutex, like n_helped */
  size_t n_helped;
  atomic_bool wanted, queue_waits; /* set on the loop */
  struct work *queue, **queue_end;
  void (*settled)(void *context);
  void *context;
  struct worker items[];
};

/* The thread */

static void resize_arena(struct worker *w, size_t bytes) {
  free(w->arena);
  w->arena = bytes > 0 ? aligned_alloc(IRREP_ALIGNMENT, bytes) : NULL;
}

/* An open team that a thread could help; NULL when there is none. */
static struct team *team_to_help(const struct workers *all) {
  struct team *team = all->teams;
  while (team && !team_has_place(team))
    team = team->next;
  return team;
}

static void help(struct worker *w, struct team *team) {
  w->helping = team;
  w->workers->n_helped += team_help(team, &w->called);
  w->helping = NULL;
}

/* Has the thread look at what is under the mutex, which is held. */
static void wake(struct worker *w) {
  atomic_store(&w->called, true);
  if (w->helping)
    team_wake(w->helping);
  pthread_cond_signal(&w->wake);
}

static void *worker_main(void *argument) {
  struct worker *w = argument;
  struct workers *all = w->workers;
  pthread_mutex_lock(&all->mutex);
  for (;;) {
    for (struct team *team; !w->assigned && !w->trim && !w->quit;) {
      atomic_store(&w->called, false);
      if ((team = team_to_help(all)))
        help(w, team);
      else
        pthread_cond_wait(&w->wake, &all->mutex);
    }
    if (w->quit)
      break;
    struct work *work = w->assigned;
    size_t wanted = w->wanted, got = w->got;
    bool trim = w->trim;
    w->trim = false;
    w->wanted = 0;
    pthread_mutex_unlock(&all->mutex);
    if (trim || wanted > 0) {
      resize_arena(w, wanted);
      got = w->arena ? wanted : 0;
    }
    if (work)
      work->run(work, w->arena, got);
    pthread_mutex_lock(&all->mutex);
    w->got = got;
    if (work) {
      w->assigned = NULL;
      uv_async_send(all->async);
    }
  }
  pthread_mutex_unlock(&all->mutex);
  resize_arena(w, 0);
  return NULL;
}

/* Handing out */

static size_t arenas_held(const struct workers *all, bool busy) {
  size_t held = 0;
  for (size_t i = 0; i < all->n; i++)
    if (all->items[i].running || !busy)
      held += all->items[i].arena_bytes;
  return held;
}

size_t workers_idle(const struct workers *all) {
  return all->n_idle;
}

size_t workers_planned(const struct workers *all) {
  return arenas_held(all, true);
}

/* What the arenas may hold together. */
static size_t arenas_budget(const struct workers *all) {
  return all->budget > all->reserve ? all->budget - all->reserve : 0;
}

size_t workers_available(const struct workers *all) {
  const size_t planned = workers_planned(all), budget = arenas_budget(all);
  return all->n_idle > 0 && planned < budget ? budget - planned : 0;
}

/* The idle worker with the smallest arena that is enough, or else with the largest; one whose arena
 * leaves no room for its use does not count. */
static struct worker *choose(struct workers *all, size_t bytes, size_t available) {
  struct worker *best = NULL;
  for (size_t i = 0; i < all->n; i++) {
    struct worker *w = &all->items[i];
    if (w->running)
      continue;
    bool enough = w->arena_bytes >= bytes && w->arena_bytes <= available;
    bool best_enough = best && best->arena_bytes >= bytes && best->arena_bytes <= available;
    if (!best || (enough && !best_enough) ||
        (enough == best_enough && (w->arena_bytes < best->arena_bytes) == enough))
      best = w;
  }
  return best;
}

static void trim(struct worker *w) {
  w->trim = true;
  w->arena_bytes = 0;
  wake(w);
}

/* Takes arenas from idle workers until all of them with `bytes` more fit the budget. */
static void make_room(struct workers *all, const struct worker *chosen, size_t bytes) {
  for (size_t i = 0; i < all->n; i++) {
    struct worker *w = &all->items[i];
    const size_t held = arenas_held(all, false) - chosen->arena_bytes, budget = arenas_budget(all);
    if (held <= budget && bytes <= budget - held)
      return;
    if (!w->running && w != chosen && w->arena_bytes > 0)
      trim(w);
  }
}

/* A quarter more than is needed now, so that slightly larger work finds the arena large enough. */
static size_t arena_size(size_t bytes, size_t available) {
  size_t rounded = (bytes + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  size_t more = (bytes + bytes / 4) / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  return more > rounded && more <= available ? more : rounded;
}

bool workers_start(struct workers *all, struct work *work) {
  size_t available = workers_available(all), bytes = work->arena_bytes;
  if (all->n_idle == 0 || (bytes > available && workers_planned(all) > 0))
    return false;
  pthread_mutex_lock(&all->mutex);
  struct worker *w = choose(all, bytes, available);
  w->wanted = 0;
  if (bytes > 0 && (bytes > w->arena_bytes || w->arena_bytes > available)) {
    w->wanted = arena_size(bytes, available);
    make_room(all, w, w->wanted);
    w->arena_bytes = w->wanted;
  }
  w->assigned = work;
  w->running = work;
  all->n_idle--;
  wake(w);
  pthread_mutex_unlock(&all->mutex);
  return true;
}

static void start_queued(struct workers *all) {
  while (all->queue && all->n_idle > 0) {
    struct work *work = all->queue;
    all->queue = work->next;
    if (!all->queue)
      all->queue_end = &all->queue;
    workers_start(all, work);
  }
  atomic_store(&all->queue_waits, all->queue != NULL);
}

void workers_queue(struct workers *all, struct work *work) {
  work->arena_bytes = 0;
  work->next = NULL;
  *all->queue_end = work;
  all->queue_end = &work->next;
  start_queued(all);
}

/* The work that has been run, linked by next; its workers are idle again. */
static struct work *collect(struct workers *all) {
  struct work *finished = NULL;
  pthread_mutex_lock(&all->mutex);
  for (size_t i = 0; i < all->n; i++) {
    struct worker *w = &all->items[i];
    if (!w->running || w->assigned)
      continue;
    w->running->next = finished;
    finished = w->running;
    w->running = NULL;
    w->arena_bytes = w->got;
    w->idle_since_ms = uv_now(all->loop);
    all->n_idle++;
  }
  pthread_mutex_unlock(&all->mutex);
  return finished;
}

static void on_async(uv_async_t *async) {
  struct workers *all = async->data;
  struct work *finished = collect(all);
  start_queued(all);
  while (finished) {
    struct work *work = finished;
    finished = work->next;
    work->done(work);
  }
  all->settled(all->context);
}

/* Teams */

bool workers_open_team(struct workers *all, struct team *team, size_t n_helpers,
                       void *const *scratch) {
  if (!team_init(team, &all->mutex, n_helpers, scratch))
    return false;
  pthread_mutex_lock(&all->mutex);
  team->next = all->teams;
  all->teams = team;
  for (size_t i = 0; n_helpers > 0 && i < all->n; i++)
    if (!all->items[i].assigned && !all->items[i].helping)
      pthread_cond_signal(&all->items[i].wake);
  pthread_mutex_unlock(&all->mutex);
  return true;
}

void workers_close_team(struct workers *all, struct team *team) {
  pthread_mutex_lock(&all->mutex);
  struct team **at = &all->teams;
  while (*at != team)
    at = &(*at)->next;
  *at = team->next;
  pthread_mutex_unlock(&all->mutex);
  team_fini(team);
}

size_t workers_helped(struct workers *all) {
  pthread_mutex_lock(&all->mutex);
  const size_t n = all->n_helped;
  pthread_mutex_unlock(&all->mutex);
  return n;
}

size_t workers_count(const struct workers *all) {
  return all->n;
}

void workers_want(struct workers *all, bool wanted) {
  atomic_store(&all->wanted, wanted);
}

bool workers_are_wanted(const struct workers *all) {
  return atomic_load(&all->wanted) || atomic_load(&all->queue_waits);
}

void workers_set_budget(struct workers *all, size_t budget) {
  pthread_mutex_lock(&all->mutex);
  all->budget = budget;
  for (size_t i = 0; i < all->n && arenas_held(all, false) > arenas_budget(all); i++)
    if (!all->items[i].running && all->items[i].arena_bytes > 0)
      trim(&all->items[i]);
  pthread_mutex_unlock(&all->mutex);
}

void workers_set_reserve(struct workers *all, size_t bytes) {
  all->reserve = bytes;
}

void workers_trim(struct workers *all, size_t idle_ms) {
  uint64_t now = uv_now(all->loop);
  pthread_mutex_lock(&all->mutex);
  for (size_t i = 0; i < all->n; i++) {
    struct worker *w = &all->items[i];
    if (!w->running && w->arena_bytes > ARENA_KEPT && now - w->idle_since_ms >= idle_ms)
      trim(w);
  }
  pthread_mutex_unlock(&all->mutex);
}

static void on_trim(uv_timer_t *timer) {
  workers_trim(timer->data, TRIM_IDLE_MS);
}

/* Life */

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

static bool start_handles(struct workers *all) {
  all->async = calloc(1, sizeof *all->async);
  if (!all->async || uv_async_init(all->loop, all->async, on_async) != 0) {
    free(all->async);
    all->async = NULL;
    return false;
  }
  all->async->data = all;
  all->trimmer = calloc(1, sizeof *all->trimmer);
  if (!all->trimmer)
    return false;
  uv_timer_init(all->loop, all->trimmer);
  all->trimmer->data = all;
  uv_timer_start(all->trimmer, on_trim, TRIM_EVERY_MS, TRIM_EVERY_MS);
  uv_unref((uv_handle_t *)all->trimmer);
  return true;
}

/* Signals are for the loop thread: its workers block them all. */
static bool start_threads(struct workers *all, size_t n) {
  sigset_t every, before;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);
  for (all->n = 0; all->n < n; all->n++) {
    struct worker *w = &all->items[all->n];
    w->workers = all;
    if (pthread_cond_init(&w->wake, NULL) != 0)
      break;
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
      pthread_cond_destroy(&w->wake);
      break;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  all->n_idle = all->n;
  return all->n == n;
}

struct workers *workers_new(uv_loop_t *loop, size_t n, size_t budget,
                            void (*settled)(void *context), void *context) {
  if (n == 0)
    n = machine_cores("");
  if (n > WORKERS_MAX)
    n = WORKERS_MAX;
  struct workers *all = calloc(1, sizeof *all + n * sizeof all->items[0]);
  if (!all)
    return NULL;
  all->loop = loop;
  all->budget = budget;
  all->settled = settled;
  all->context = context;
  all->queue_end = &all->queue;
  pthread_mutex_init(&all->mutex, NULL);
  if (start_handles(all) && start_threads(all, n))
    return all;
  workers_free(all);
  return NULL;
}

void workers_free(struct workers *all) {
  if (!all)
    return;
  pthread_mutex_lock(&all->mutex);
  for (size_t i = 0; i < all->n; i++) {
    all->items[i].quit = true;
    wake(&all->items[i]);
  }
  pthread_mutex_unlock(&all->mutex);
  for (size_t i = 0; i < all->n; i++) {
    pthread_join(all->items[i].thread, NULL);
    pthread_cond_destroy(&all->items[i].wake);
  }
  pthread_mutex_destroy(&all->mutex);
  if (all->async)
    uv_close((uv_handle_t *)all->async, free_handle);
  if (all->trimmer)
    uv_close((uv_handle_t *)all->trimmer, free_handle);
  free(all);
}
