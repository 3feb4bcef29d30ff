/* Packs waiting structures of one model and precision, from any number of requests, into batches.
 *
 * It knows no clock, thread or loop: whoever owns it calls scheduler_run when something has
 * happened or scheduler_wake is due, and lends it the hooks below. All calls are made on one
 * thread.
 *
 * Queues. Each pair of loaded model and precision is a lane with two queues, and within a queue the
 * requests take turns, one structure each: a request of thousands does not hold up a small one.
 * Interactive structures go before bulk ones, in every lane; among equals the lane whose oldest
 * structure has waited longest goes first. Bulk that has waited for SCHEDULER_BULK_PATIENCE_NS is
 * due a quarter of the time while interactive structures wait: what they take earns it a third of
 * that, and once that is enough for the structure whose turn it is, it goes first, for so long. The
 * queue has a quarter of its room for interactive structures alone.
 *
 * When a batch begins. While every worker is busy, structures wait, and whatever waits then becomes
 * the next batch. With a worker idle, a batch begins when it
 *   full   cannot take the next structure: planned bytes above max_batch_bytes or above what is
 *          free of the memory budget, or SCHEDULER_BATCH_MAX structures,
 *   time   would take longer than max_batch_ns with the next structure, at the measured rate: the
 *          answers of all wait for the longest. A request that takes several batches anyway fills
 *          only a quarter of that time where the batch has structures of shorter requests, and so
 *          does bulk where it has interactive ones. Before a rate is measured one is assumed,
 *   delay  has waited for max_delay since its oldest structure arrived,
 *   drain  nothing more will be accepted,
 *   idle   no more is expected: as many requests are present as have been at any time in the last
 *          one to two SCHEDULER_PEAK_NS, and none is still being read.
 * The last rule is what makes a single sequential client wait for nothing, while the first of many
 * clients to come back after a batch waits (at most max_delay) for the others. When several workers
 * are idle, each takes its share of the atoms that wait: an idle core helps more than a larger
 * batch.
 *
 * Memory. A structure larger than max_batch_bytes goes alone. The head of the best lane that does
 * not fit the free memory waits for running batches to end, and nothing overtakes it: no structure
 * starves. */
#ifndef SERVER_COMPUTE_SCHEDULER_H
#define SERVER_COMPUTE_SCHEDULER_H

#include "irrep/model.h"
#include "server/codec/request.h"
#include "server/compute/fair_queue.h"
#include "server/compute/worker.h"
#include "server/models/registry.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULER_BATCH_MAX 4096
#define SCHEDULER_BULK_PATIENCE_NS UINT64_C(1000000000)
#define SCHEDULER_PEAK_NS UINT64_C(500000000)
#define SCHEDULER_NEVER UINT64_MAX

enum entry_state { ENTRY_IDLE, ENTRY_WAITING, ENTRY_RUNNING };

/* One structure; owned by the caller, who keeps it until it is out of the scheduler. */
struct entry {
  /* Set by the caller before scheduler_add */
  const struct irrep_structure *structure;
  struct irrep_plan plan;
  size_t extra_bytes;   /* of arena, beside those of the plan */
  double extra_seconds; /* that other models will take: the members of a committee */
  struct flow *flow;    /* of the request; outlives its entries */
  enum request_priority priority;
  uint64_t arrived_ns;
  uint64_t deadline_ns; /* SCHEDULER_NEVER: none */
  void *owner;
  /* Read-only */
  enum entry_state state;
  struct batch *batch; /* while it runs */
  /* Private */
  struct entry *previous, *next, *flow_previous, *flow_next;
  struct lane *lane;
};

struct batch {
  struct work work; /* arena_bytes is set; run and done are the start hook's to set */
  struct loaded_model *model;
  enum irrep_precision precision;
  struct irrep_plan sum;
  size_t n_helpers;                          /* places of its team; the start hook's to set */
  struct profile *profile;                   /* for whoever runs it; NULL: none */
  const char *reason;                        /* static: why it began */
  atomic_bool cancelled;                     /* set when nobody wants any of it */
  uint64_t began_ns, evaluate_ns, encode_ns; /* for whoever runs it */
  uint64_t committee_ns;                     /* that other models have taken: no part of these */
  uint64_t helped_ns;                        /* the time that helpers have computed meanwhile */
  size_t n_rounds;   /* evaluations of all entries, whose times these are the sums of */
  uint64_t plan_ns;  /* of the rounds behind the first */
  struct lane *lane; /* private */
  size_t n_live;     /* private */
  size_t n_entries;
  struct entry *entries[]; /* [n_entries] */
};

struct scheduler_hooks {
  void *context;
  uint64_t (*now_ns)(void *context);
  size_t (*bytes)(void *context, const struct loaded_model *model, enum irrep_precision precision,
                  const struct irrep_plan *plan);
  size_t (*idle_workers)(void *context);
  size_t (*free_bytes)(void *context); /* the largest batch that could begin now */
  /* Begins a batch that fits free_bytes on an idle worker. */
  void (*start)(void *context, struct batch *batch);
  /* The deadline of a waiting entry has passed; it is out of the scheduler. */
  void (*expired)(void *context, struct entry *entry);
};

struct scheduler_limits {
  size_t max_batch_bytes, max_queue;
  size_t max_queue_atoms; /* 0: no bound; a structure alone may exceed it */
  uint64_t max_batch_ns;  /* 0: no bound */
  uint64_t max_delay_ns;
};

struct scheduler;

struct scheduler *scheduler_new(const struct scheduler_hooks *hooks,
                                const struct scheduler_limits *limits); /* NULL without memory */

/* No entry may be in it. */
void scheduler_free(struct scheduler *scheduler);

/* A request has come (and is read next); its entries are added or there will be none; it is gone.
 */
void scheduler_enter(struct scheduler *scheduler);
void scheduler_entered(struct scheduler *scheduler);
void scheduler_leave(struct scheduler *scheduler);

enum scheduler_added { SCHEDULER_ADDED, SCHEDULER_FULL, SCHEDULER_NO_MEMORY };

/* The entries that may wait when the last one to come has a priority. */
size_t scheduler_room(const struct scheduler *scheduler, enum request_priority priority);

/* Whether n more entries of so many atoms together find room in the queue. */
bool scheduler_has_room(const struct scheduler *scheduler, enum request_priority priority, size_t n,
                        size_t n_atoms);

/* Appends an entry to its queue; scheduler_run is called when all of a request's are in. */
enum scheduler_added scheduler_add(struct scheduler *scheduler, struct loaded_model *model,
                                   enum irrep_precision precision, struct entry *entry);

/* Nobody wants an entry any more. One that waits is out of the scheduler; one that runs stays until
 * scheduler_finished, and its batch is told to stop when it was the last that somebody wanted. To
 * be called once for an entry. */
void scheduler_remove(struct scheduler *scheduler, struct entry *entry);

/* Expires and begins what is due. Not to be called from inside a hook. */
void scheduler_run(struct scheduler *scheduler);

/* A started batch has ended: its entries are out of the scheduler, and it is the caller's to
 * free(). */
void scheduler_finished(struct scheduler *scheduler, struct batch *batch);

/* When scheduler_run is to be called even if nothing happens before; SCHEDULER_NEVER: not. */
uint64_t scheduler_wake_ns(const struct scheduler *scheduler);

/* From now on nothing waits for company. */
void scheduler_drain(struct scheduler *scheduler);

void scheduler_set_limits(struct scheduler *scheduler, const struct scheduler_limits *limits);

/* How long one worker would take for all that waits, at the measured rates; what has no rate yet
 * counts as nothing. */
double scheduler_backlog_seconds(const struct scheduler *scheduler);

struct scheduler_load {
  struct irrep_plan waiting;
  size_t batches_running;
};

/* Of one model, or of all when model is NULL. */
struct scheduler_load scheduler_load(const struct scheduler *scheduler,
                                     const struct served_model *model);

#endif
