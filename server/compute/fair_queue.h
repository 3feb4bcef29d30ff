/* A queue of entries that is served round robin over the flows they belong to, one entry a turn.
 *
 * A flow is what must not crowd out others: the structures of one request. Entries of a flow keep
 * their order, a new flow comes behind those that wait. Flows and entries are the caller's memory.
 * Used by the scheduler. */
#ifndef SERVER_COMPUTE_FAIR_QUEUE_H
#define SERVER_COMPUTE_FAIR_QUEUE_H

#include "irrep/model.h"

#include <stdbool.h>
#include <stddef.h>

struct entry; /* scheduler.h */

/* Zero-initialised it is empty; it may be used again whenever it is. */
struct flow {
  struct irrep_plan waiting;    /* of its entries together; read-only */
  double waiting_seconds;       /* their extra_seconds; read-only */
  struct entry *first, *last;   /* private, like the rest */
  struct flow *previous, *next; /* the ring of the flows that wait */
  struct entry *at;             /* of a walk: its next entry, and the next flow of those left */
  struct flow *after;
};

/* Zero-initialised it is empty. */
struct fair_queue {
  struct entry *first, *last; /* by arrival */
  struct flow *turn;          /* private: the flow that is served next */
};

void fair_append(struct fair_queue *queue, struct entry *entry);
void fair_unlink(struct fair_queue *queue, struct entry *entry);

/* The entry whose turn it is; NULL when there is none. */
struct entry *fair_head(const struct fair_queue *queue);

/* The same entry, which gives the turn to the next flow. It stays in the queue until it is
 * unlinked. */
struct entry *fair_take(struct fair_queue *queue);

/* A walk over all entries in the order in which fair_take would give them. The queue must not
 * change meanwhile. */
struct fair_walk {
  struct flow *before; /* private */
};

struct fair_walk fair_walk_begin(const struct fair_queue *queue);
struct entry *fair_walk_next(struct fair_walk *walk); /* NULL at the end */

#endif
