/* The threads that compute: each has an arena of its own and runs one piece of work at a time. One
 * that is idle helps the teams of others until it gets work of its own.
 *
 * All calls but work->run are made on the loop thread, which hands work only to idle workers and so
 * always knows what the arenas hold together. */
#ifndef SERVER_COMPUTE_WORKER_H
#define SERVER_COMPUTE_WORKER_H

#include "server/compute/team.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Owned by the caller, who keeps it until done is called. */
struct work {
  /* On a worker thread. arena [bytes] is aligned to IRREP_ALIGNMENT and has at least arena_bytes;
   * bytes is 0 when there was no memory for it. */
  void (*run)(struct work *work, void *arena, size_t bytes);
  /* On the loop thread, after run; may free the work. */
  void (*done)(struct work *work);
  size_t arena_bytes;
  struct work *next; /* private */
};

struct workers;

/* Starts n threads (0: one for each core) whose arenas hold at most `budget` bytes together.
 * settled is called on the loop thread whenever workers may have become idle, after the done calls.
 * NULL without memory or threads. */
struct workers *workers_new(uv_loop_t *loop, size_t n, size_t budget,
                            void (*settled)(void *context), void *context);

/* Joins the threads; no work may be under way. The loop must run once more before it is closed. */
void workers_free(struct workers *workers);

size_t workers_idle(const struct workers *workers);

/* The largest arena_bytes that workers_start would take now; 0 when no worker is idle. */
size_t workers_available(const struct workers *workers);

/* The bytes of the arenas of busy workers. */
size_t workers_planned(const struct workers *workers);

/* Gives work to an idle worker. false: none is idle, or arena_bytes exceeds workers_available while
 * other work has an arena: what was accepted under a larger budget begins alone. */
bool workers_start(struct workers *workers, struct work *work);

/* Gives work without an arena to the next worker that is idle, before any workers_start. */
void workers_queue(struct workers *workers, struct work *work);

size_t workers_count(const struct workers *workers);

/* Somebody else waits for a worker, or nobody does any more; what workers_queue holds counts by
 * itself. */
void workers_want(struct workers *workers, bool wanted);

/* Whether somebody waits for a worker. Also from inside work->run. */
bool workers_are_wanted(const struct workers *workers);

/* From inside work->run: opens a team whose places idle workers take, and ends it. The team and its
 * scratch are the caller's. false: without a condition variable; then it is not open. */
bool workers_open_team(struct workers *workers, struct team *team, size_t n_helpers,
                       void *const *scratch);
void workers_close_team(struct workers *workers, struct team *team);

/* Tasks that helpers have done so far, over all teams. */
size_t workers_helped(struct workers *workers);

/* From now on the arenas hold at most so many bytes together, but for what is under way. */
void workers_set_budget(struct workers *workers, size_t budget);

/* So many bytes of the budget are taken by others from now on. */
void workers_set_reserve(struct workers *workers, size_t bytes);

/* Gives back large arenas of workers that have been idle for idle_ms; called every few seconds. */
void workers_trim(struct workers *workers, size_t idle_ms);

#endif
