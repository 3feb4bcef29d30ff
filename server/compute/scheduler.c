#include "server/compute/scheduler.h"

#include "server/models/cost.h"
#include "server/models/plan_sum.h"

#include <stdlib.h>

/* Sums of a batch stay below this, so that the core may index its atoms and edges in 32 bits. */
#define BATCH_INDEX_MAX ((size_t)INT32_MAX)

#define RETRY_NS UINT64_C(10000000)

/* How much of the time of a batch that can finish somebody's request those may fill whose own takes
 * several batches anyway: then a short request has its answer within one and a quarter batches. */
#define GUEST_PART 0.25

/* Freed when nothing waits or runs in it. */
struct lane {
  struct lane *next;
  struct loaded_model *model;
  enum irrep_precision precision;
  struct fair_queue queues[2]; /* by enum request_priority */
  struct scheduler_load load;
};

struct scheduler {
  struct scheduler_hooks hooks;
  struct scheduler_limits limits;
  struct lane *lanes;
  struct scheduler_load load;
  bool draining;
  uint64_t earliest_deadline_ns; /* no deadline is earlier; may be too early */
  uint64_t wake_ns;
  size_t n_present, n_reading; /* requests */
  size_t peak, peak_before;    /* of n_present, in this window and the one before */
  uint64_t peak_began_ns;
};

/* A batch that could begin. */
struct candidate {
  struct lane *lane;
  enum request_priority first; /* the queue that it begins with */
  bool urgent;                 /* its head is interactive or counts as such */
  bool serves_short;           /* it has structures of a request that one batch can finish */
  size_t n_entries, bytes;
  struct irrep_plan sum;
  const char *reason;
};

/* Queues and lanes */

/* How long one worker takes, at the measured rates; 0 before there are any. */
static double lane_seconds(const struct lane *lane, const struct irrep_plan *plan) {
  return cost_seconds(&lane->model->rates[lane->precision], plan);
}

static struct lane *lane_of(struct scheduler *s, struct loaded_model *model,
                            enum irrep_precision precision) {
  for (struct lane *lane = s->lanes; lane; lane = lane->next)
    if (lane->model == model && lane->precision == precision)
      return lane;
  struct lane *lane = calloc(1, sizeof *lane);
  if (!lane)
    return NULL;
  lane->model = model;
  lane->precision = precision;
  lane->next = s->lanes;
  s->lanes = lane;
  return lane;
}

static void free_if_empty(struct scheduler *s, struct lane *lane) {
  if (lane->load.waiting.n_structures > 0 || lane->load.batches_running > 0)
    return;
  struct lane **at = &s->lanes;
  while (*at != lane)
    at = &(*at)->next;
  *at = lane->next;
  free(lane);
}

static void leave_queue(struct scheduler *s, struct entry *entry) {
  fair_unlink(&entry->lane->queues[entry->priority], entry);
  plan_subtract(&entry->lane->load.waiting, &entry->plan);
  plan_subtract(&s->load.waiting, &entry->plan);
  entry->state = ENTRY_IDLE;
}

/* Presence of requests */

static void note_presence(struct scheduler *s, uint64_t now) {
  uint64_t age = now - s->peak_began_ns;
  if (age >= SCHEDULER_PEAK_NS) {
    s->peak_before = age < 2 * SCHEDULER_PEAK_NS ? s->peak : s->n_present;
    s->peak = s->n_present;
    s->peak_began_ns = now;
  }
  if (s->n_present > s->peak)
    s->peak = s->n_present;
}

void scheduler_enter(struct scheduler *s) {
  note_presence(s, s->hooks.now_ns(s->hooks.context));
  s->n_present++;
  s->n_reading++;
  note_presence(s, s->hooks.now_ns(s->hooks.context));
}

void scheduler_entered(struct scheduler *s) {
  s->n_reading--;
}

void scheduler_leave(struct scheduler *s) {
  note_presence(s, s->hooks.now_ns(s->hooks.context));
  s->n_present--;
}

static bool more_expected(const struct scheduler *s) {
  size_t peak = s->peak > s->peak_before ? s->peak : s->peak_before;
  return s->n_reading > 0 || s->n_present < peak;
}

/* Adding and removing */

bool scheduler_has_room(const struct scheduler *s, size_t n, size_t n_atoms) {
  const size_t waiting = s->load.waiting.n_structures, atoms = s->load.waiting.n_atoms;
  const size_t most = s->limits.max_queue_atoms;
  if (waiting > s->limits.max_queue || n > s->limits.max_queue - waiting)
    return false;
  return most == 0 || atoms == 0 || (atoms <= most && n_atoms <= most - atoms);
}

enum scheduler_added scheduler_add(struct scheduler *s, struct loaded_model *model,
                                   enum irrep_precision precision, struct entry *entry) {
  if (!scheduler_has_room(s, 1, 0))
    return SCHEDULER_FULL;
  struct lane *lane = lane_of(s, model, precision);
  if (!lane)
    return SCHEDULER_NO_MEMORY;
  entry->lane = lane;
  entry->batch = NULL;
  entry->state = ENTRY_WAITING;
  fair_append(&lane->queues[entry->priority], entry);
  plan_add(&lane->load.waiting, &entry->plan);
  plan_add(&s->load.waiting, &entry->plan);
  if (entry->deadline_ns < s->earliest_deadline_ns)
    s->earliest_deadline_ns = entry->deadline_ns;
  return SCHEDULER_ADDED;
}

void scheduler_remove(struct scheduler *s, struct entry *entry) {
  if (entry->state == ENTRY_WAITING) {
    leave_queue(s, entry);
    free_if_empty(s, entry->lane);
  }
  if (entry->state != ENTRY_RUNNING)
    return;
  if (--entry->batch->n_live == 0)
    atomic_store(&entry->batch->cancelled, 1);
}

/* Deadlines */

static void expire_queue(struct scheduler *s, const struct fair_queue *queue, uint64_t now) {
  for (struct entry *entry = queue->first, *next; entry; entry = next) {
    next = entry->next;
    if (entry->deadline_ns <= now) {
      leave_queue(s, entry);
      s->hooks.expired(s->hooks.context, entry);
    } else if (entry->deadline_ns < s->earliest_deadline_ns) {
      s->earliest_deadline_ns = entry->deadline_ns;
    }
  }
}

static void expire(struct scheduler *s, uint64_t now) {
  if (now < s->earliest_deadline_ns)
    return;
  s->earliest_deadline_ns = SCHEDULER_NEVER;
  for (struct lane *lane = s->lanes, *after; lane; lane = after) {
    after = lane->next;
    for (size_t priority = 0; priority < 2; priority++)
      expire_queue(s, &lane->queues[priority], now);
    free_if_empty(s, lane);
  }
}

/* Batches */

static bool grown_patient(const struct entry *entry, uint64_t now) {
  return now - entry->arrived_ns >= SCHEDULER_BULK_PATIENCE_NS;
}

/* The queue of a lane whose head goes first. */
static enum request_priority first_queue(const struct lane *lane, uint64_t now) {
  const struct entry *interactive = lane->queues[PRIORITY_INTERACTIVE].first;
  const struct entry *bulk = lane->queues[PRIORITY_BULK].first;
  bool bulk_first =
      bulk &&
      (!interactive || (grown_patient(bulk, now) && bulk->arrived_ns < interactive->arrived_ns));
  return bulk_first ? PRIORITY_BULK : PRIORITY_INTERACTIVE;
}

/* Whether what is planned takes longer than a part of the time that a batch may take. */
static bool takes_longer(const struct scheduler *s, const struct lane *lane,
                         const struct irrep_plan *plan, double part) {
  return s->limits.max_batch_ns > 0 &&
         lane_seconds(lane, plan) * 1e9 > part * (double)s->limits.max_batch_ns;
}

/* Why a batch cannot take an entry, with which it would be `sum` of so many bytes; NULL when it
 * can. */
static const char *reason_to_close(const struct scheduler *s, const struct candidate *c,
                                   const struct entry *entry, const struct irrep_plan *sum,
                                   size_t bytes) {
  if (bytes > s->limits.max_batch_bytes || sum->n_structures > SCHEDULER_BATCH_MAX ||
      sum->n_atoms > BATCH_INDEX_MAX || sum->n_edges > BATCH_INDEX_MAX)
    return "full";
  const bool is_guest = c->serves_short && takes_longer(s, c->lane, &entry->flow->waiting, 1);
  return takes_longer(s, c->lane, sum, is_guest ? GUEST_PART : 1) ? "time" : NULL;
}

/* Fills a candidate from one queue of its lane up to its share. Whether it can take more. */
static bool fill_from(const struct scheduler *s, struct candidate *c, enum request_priority which,
                      size_t free_bytes, size_t share_atoms) {
  const struct scheduler_hooks *h = &s->hooks;
  struct fair_walk walk = fair_walk_begin(&c->lane->queues[which]);
  for (const struct entry *e; (e = fair_walk_next(&walk));) {
    struct irrep_plan sum = c->sum;
    plan_add(&sum, &e->plan);
    size_t bytes = h->bytes(h->context, c->lane->model, c->lane->precision, &sum);
    c->reason = bytes > free_bytes ? "full"
                : c->n_entries > 0 ? reason_to_close(s, c, e, &sum, bytes)
                                   : NULL;
    if (c->reason)
      return false;
    c->n_entries++;
    c->sum = sum;
    c->bytes = bytes;
    c->serves_short = c->serves_short || !takes_longer(s, c->lane, &e->flow->waiting, 1);
    if (sum.n_atoms >= share_atoms)
      return false;
  }
  return true;
}

/* Fills a candidate: n_entries, their sum and bytes, and the reason when it cannot grow. n_entries
 * is 0 when not even the head fits the free memory. */
static void fill(const struct scheduler *s, struct candidate *c, size_t free_bytes,
                 size_t share_atoms) {
  if (fill_from(s, c, c->first, free_bytes, share_atoms))
    fill_from(s, c, 1 - c->first, free_bytes, share_atoms);
}

/* Why a filled candidate may begin now; NULL when it had better wait, until *wake_ns. */
static const char *reason_to_begin(const struct scheduler *s, const struct candidate *c,
                                   uint64_t now, uint64_t *wake_ns) {
  if (c->reason)
    return c->reason;
  uint64_t oldest = SCHEDULER_NEVER;
  for (size_t priority = 0; priority < 2; priority++) {
    const struct entry *head = c->lane->queues[priority].first;
    if (head && head->arrived_ns < oldest)
      oldest = head->arrived_ns;
  }
  if (s->draining)
    return "drain";
  if (now - oldest >= s->limits.max_delay_ns)
    return "delay";
  if (!more_expected(s))
    return "idle";
  if (oldest + s->limits.max_delay_ns < *wake_ns)
    *wake_ns = oldest + s->limits.max_delay_ns;
  return NULL;
}

static bool goes_before(const struct candidate *a, const struct candidate *b) {
  if (!b->lane)
    return true;
  if (a->urgent != b->urgent)
    return a->urgent;
  return a->lane->queues[a->first].first->arrived_ns < b->lane->queues[b->first].first->arrived_ns;
}

/* The best of the lanes that need not wait; its lane is NULL when there is none. */
static struct candidate choose(struct scheduler *s, uint64_t now) {
  const struct scheduler_hooks *h = &s->hooks;
  struct candidate best = {0};
  size_t idle = h->idle_workers(h->context);
  if (idle == 0 || s->load.waiting.n_structures == 0)
    return best;
  size_t free_bytes = h->free_bytes(h->context);
  size_t share_atoms = s->load.waiting.n_atoms / idle + (s->load.waiting.n_atoms % idle > 0);
  for (struct lane *lane = s->lanes; lane; lane = lane->next) {
    if (lane->load.waiting.n_structures == 0)
      continue;
    struct candidate c = {.lane = lane, .first = first_queue(lane, now)};
    c.urgent = c.first == PRIORITY_INTERACTIVE || grown_patient(lane->queues[c.first].first, now);
    if (!goes_before(&c, &best))
      continue;
    fill(s, &c, free_bytes, share_atoms);
    c.reason = reason_to_begin(s, &c, now, &s->wake_ns);
    if (c.reason)
      best = c;
  }
  return best;
}

/* Moves the candidate's entries into a batch; NULL without memory. */
static struct batch *take(struct scheduler *s, const struct candidate *c) {
  struct batch *batch = calloc(1, sizeof *batch + c->n_entries * sizeof(struct entry *));
  if (!batch)
    return NULL;
  batch->work.arena_bytes = c->bytes;
  batch->model = c->lane->model;
  batch->precision = c->lane->precision;
  batch->sum = c->sum;
  batch->reason = c->reason;
  batch->lane = c->lane;
  batch->n_live = c->n_entries;
  batch->n_entries = c->n_entries;
  for (size_t i = 0; i < c->n_entries; i++) {
    struct entry *entry = fair_take(&c->lane->queues[c->first]);
    if (!entry)
      entry = fair_take(&c->lane->queues[1 - c->first]);
    leave_queue(s, entry);
    entry->state = ENTRY_RUNNING;
    entry->batch = batch;
    batch->entries[i] = entry;
  }
  c->lane->load.batches_running++;
  s->load.batches_running++;
  return batch;
}

void scheduler_run(struct scheduler *s) {
  uint64_t now = s->hooks.now_ns(s->hooks.context);
  note_presence(s, now);
  expire(s, now);
  s->wake_ns = SCHEDULER_NEVER;
  for (;;) {
    struct candidate c = choose(s, now);
    if (!c.lane || c.n_entries == 0)
      break;
    struct batch *batch = take(s, &c);
    if (!batch) {
      s->wake_ns = now + RETRY_NS;
      break;
    }
    s->hooks.start(s->hooks.context, batch);
  }
}

static void note_rate(const struct batch *batch) {
  const uint64_t ns = batch->evaluate_ns + batch->helped_ns + batch->encode_ns;
  if (!atomic_load(&batch->cancelled))
    cost_learn(&batch->model->rates[batch->precision], &batch->sum, (double)ns * 1e-9);
}

void scheduler_finished(struct scheduler *s, struct batch *batch) {
  for (size_t i = 0; i < batch->n_entries; i++) {
    batch->entries[i]->state = ENTRY_IDLE;
    batch->entries[i]->batch = NULL;
  }
  batch->lane->load.batches_running--;
  s->load.batches_running--;
  note_rate(batch);
  free_if_empty(s, batch->lane);
}

uint64_t scheduler_wake_ns(const struct scheduler *s) {
  return s->wake_ns < s->earliest_deadline_ns ? s->wake_ns : s->earliest_deadline_ns;
}

void scheduler_drain(struct scheduler *s) {
  s->draining = true;
}

void scheduler_set_limits(struct scheduler *s, const struct scheduler_limits *limits) {
  s->limits = *limits;
}

double scheduler_backlog_seconds(const struct scheduler *s) {
  double seconds = 0;
  for (const struct lane *lane = s->lanes; lane; lane = lane->next)
    seconds += lane_seconds(lane, &lane->load.waiting);
  return seconds;
}

struct scheduler_load scheduler_load(const struct scheduler *s, const struct served_model *model) {
  struct scheduler_load load = {0};
  if (!model)
    return s->load;
  for (const struct lane *lane = s->lanes; lane; lane = lane->next)
    if (lane->model->served == model) {
      plan_add(&load.waiting, &lane->load.waiting);
      load.batches_running += lane->load.batches_running;
    }
  return load;
}

struct scheduler *scheduler_new(const struct scheduler_hooks *hooks,
                                const struct scheduler_limits *limits) {
  struct scheduler *s = calloc(1, sizeof *s);
  if (s) {
    s->hooks = *hooks;
    s->limits = *limits;
    s->earliest_deadline_ns = SCHEDULER_NEVER;
    s->wake_ns = SCHEDULER_NEVER;
  }
  return s;
}

void scheduler_free(struct scheduler *s) {
  for (struct lane *lane = s ? s->lanes : NULL, *next; lane; lane = next) {
    next = lane->next;
    free(lane);
  }
  free(s);
}
