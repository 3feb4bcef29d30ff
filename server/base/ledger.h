/* One account of the memory that the daemon may hold, with which everybody registers who takes much
 * of it. It allocates nothing: it says how much may be taken, and by whom.
 *
 * Of the memory of the machine or container an eighth is left to what nobody counts (fragments of
 * malloc, stacks, buffers of the kernel). What the process and its connections take is known at the
 * start, what models take when they are loaded, and runs as they come, of which all together may
 * take a quarter of what batches could without them. The rest is shared out:
 *
 *     batches   half of it, but at most what --memory-budget says: the arenas of batches under way
 *               and the graphs of structures that wait
 *     bodies    a quarter of what remains, but at most --max-receiving-bytes: what is received, and
 *               waits to be read
 *     requests  what remains then: from the moment that its body is read until its answer has left,
 *               a request holds here the most that it may come to take
 *
 * Nothing is taken in one part by who waits for another: batches need no more than their part, a
 * request is read when there is room for all of it until its end, and bodies wait in theirs. So
 * whatever has been let in can be finished, and who comes next waits.
 *
 * Used on the loop thread. */
#ifndef SERVER_BASE_LEDGER_H
#define SERVER_BASE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#define LEDGER_KINDS(X)                                                                            \
  X(PROCESS, "process")   /* before models, and the buffers of as many connections as may be */    \
  X(MODELS, "models")     /* in memory, and what loads under way may take */                       \
  X(RUNS, "runs")         /* what is moved by relaxations and dynamics under way */                \
  X(BATCHES, "batches")   /* arenas and graphs */                                                  \
  X(BODIES, "bodies")     /* that are received or wait to be read */                               \
  X(REQUESTS, "requests") /* what is read of them, and the room for their answers */               \
  X(ANSWERS, "answers")   /* that have not left; of the part of requests */

enum ledger_kind {
#define LEDGER_ENUM(name, label) LEDGER_##name,
  LEDGER_KINDS(LEDGER_ENUM)
#undef LEDGER_ENUM
      LEDGER_N_KINDS
};

/* Of a kind, for metrics and people. */
const char *ledger_kind_name(enum ledger_kind kind);

/* Somebody who wants to hear of memory. Both are called from inside a call of the ledger, which
 * they do not call themselves. */
struct ledger_waiter {
  void (*freed)(void *context);   /* some has been given back, while it waits */
  void (*resized)(void *context); /* the parts have other sizes; NULL: it does not matter */
  void *context;
  bool waits;                 /* the owner's */
  struct ledger_waiter *next; /* private */
};

struct ledger {
  size_t memory;                    /* of the machine or container */
  size_t most_batches, most_bodies; /* as the flags say; 0: no bound but the memory */
  size_t used[LEDGER_N_KINDS];      /* read-only */
  struct ledger_waiter *first;      /* private */
};

/* memory 0: it is not known, and there is no bound but those of the flags. */
void ledger_init(struct ledger *ledger, size_t memory, size_t most_batches, size_t most_bodies);

/* Other flags from now on; what is taken stays. */
void ledger_set_limits(struct ledger *ledger, size_t most_batches, size_t most_bodies);

/* The most that all together may take. */
size_t ledger_limit(const struct ledger *ledger);

/* The sum of what is taken. */
size_t ledger_total(const struct ledger *ledger);

/* What a part may hold at most: of RUNS, BATCHES, BODIES or REQUESTS, the latter with ANSWERS. */
size_t ledger_part(const struct ledger *ledger, enum ledger_kind kind);

/* What is left of a part now. Of REQUESTS an eighth is left to small ones: those of which it would
 * hold 64. */
size_t ledger_left(const struct ledger *ledger, enum ledger_kind kind, size_t bytes);

/* Takes so many bytes of a part, unless that has no room for them now. Something that is alone in
 * the part of REQUESTS may be larger than the flags say, as far as there is memory. */
bool ledger_take(struct ledger *ledger, enum ledger_kind kind, size_t bytes);

/* The most that ledger_take could ever take at once. */
size_t ledger_most(const struct ledger *ledger, enum ledger_kind kind);

/* Takes what is there already, whatever the room; gives back; and sets what others count. */
void ledger_add(struct ledger *ledger, enum ledger_kind kind, size_t bytes);
void ledger_give(struct ledger *ledger, enum ledger_kind kind, size_t bytes);
void ledger_set(struct ledger *ledger, enum ledger_kind kind, size_t bytes);

/* Whether so many bytes of models, in place of those that are counted, leave enough to work with;
 * and whether what is taken would then fit: until others have given back, it may not. */
bool ledger_models_could_take(const struct ledger *ledger, size_t bytes);
bool ledger_fits(const struct ledger *ledger);

/* Calls the waiter from now on, or no longer. */
void ledger_listen(struct ledger *ledger, struct ledger_waiter *waiter);
void ledger_forget(struct ledger *ledger, struct ledger_waiter *waiter);

#endif
