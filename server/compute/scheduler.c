#include "server/compute/scheduler.h"

#include "core/base/arena.h"
#include "server/models/cost.h"
#include "server/models/plan_sum.h"

#include <stdlib.h>

/* Sums of a batch stay below this, so that the core may index its atoms and edges in 32 bits. */
#define BATCH_INDEX_MAX ((size_t)INT32_MAX)

#define RETRY_NS UINT64_C(10000000)

/* How much of the time of a batch that can finish somebody's request those may fill whose own takes
 * several batches anyway: then a short request has its answer within one and a quarter batches. */
#define GUEST_PART 0.25

/* The part of the time that bulk which has waited for its patience is due, however many interactive
 * structures wait. */
#define BULK_PART 0.25

/* The part of the queue that is left to interactive structures. */
#define ROOM_LEFT(most) ((most) / 4)

/* A bulk batch of one structure that takes so many times as long as a batch may leaves a worker to
 * the others; while that one idles, it helps. */
#define LONG_TIMES 4

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
  double bulk_due_s; /* what patient bulk may take before interactive structures that wait */
};

/* A batch that could begin. */
struct candidate {
  struct lane *lane;
  enum request_priority first; /* the queue that it begins with */
  bool is_due;                 /* that is bulk's, for as long as it is due */
  bool serves_short;           /* it has structures of a request that one batch can finish */
  size_t n_entries, bytes, extra_bytes;
  double extra_seconds;
  size_t n_of[2]; /* entries by enum request_priority, and their sums */
  struct irrep_plan sums[2];
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

size_t scheduler_room(const struct scheduler *s, enum request_priority priority) {
  const size_t most = s->limits.max_queue;
  return priority == PRIORITY_BULK ? most - ROOM_LEFT(most) : most;
}

bool scheduler_has_room(const struct scheduler *s, enum request_priority priority, size_t n,
                        size_t n_atoms) {
  const size_t waiting = s->load.waiting.n_structures, atoms = s->load.waiting.n_atoms;
  const size_t room = scheduler_room(s, priority);
  size_t most = s->limits.max_queue_atoms;
  if (n > (waiting < room ? room - waiting : 0))
    return false;
  if (most == 0 || atoms == 0)
    return true;
  most -= priority == PRIORITY_BULK ? ROOM_LEFT(most) : 0;
  return atoms <= most && n_atoms <= most - atoms;
}

enum scheduler_added scheduler_add(struct scheduler *s, struct loaded_model *model,
                                   enum irrep_precision precision, struct entry *entry) {
  if (!scheduler_has_room(s, entry->priority, 1, 0))
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
    atomic_store(&entry->batch->cancelled, true);
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

/* The lane whose bulk has waited for the longest, and for its patience; NULL: there is none. */
static const struct lane *patient_lane(const struct scheduler *s, uint64_t now) {
  const struct lane *oldest = NULL;
  for (const struct lane *lane = s->lanes; lane; lane = lane->next) {
    const struct entry *bulk = lane->queues[PRIORITY_BULK].first;
    if (bulk && now - bulk->arrived_ns >= SCHEDULER_BULK_PATIENCE_NS &&
        (!oldest || bulk->arrived_ns < oldest->queues[PRIORITY_BULK].first->arrived_ns))
      oldest = lane;
  }
  return oldest;
}

static bool interactive_waits(const struct scheduler *s) {
  for (const struct lane *lane = s->lanes; lane; lane = lane->next)
    if (lane->queues[PRIORITY_INTERACTIVE].first)
      return true;
  return false;
}

/* The lane whose bulk goes before all that is interactive, for s->bulk_due_s; NULL: none does. What
 * is due is saved up for the structure whose turn it is, and for batches that are not too small. */
static const struct lane *due_lane(const struct scheduler *s, uint64_t now) {
  const struct lane *lane = patient_lane(s, now);
  if (!lane || !(s->bulk_due_s > 0))
    return NULL;
  const double head_s = lane_seconds(lane, &fair_head(&lane->queues[PRIORITY_BULK])->plan);
  const double turn_s = BULK_PART * 1e-9 * (double)s->limits.max_batch_ns;
  return s->bulk_due_s >= head_s && s->bulk_due_s >= turn_s ? lane : NULL;
}

/* Accounts for a batch that begins: where both wait, interactive structures earn patient bulk its
 * part, of which it pays what it takes. */
static void note_shares(struct scheduler *s, const struct candidate *c, uint64_t now) {
  if (!patient_lane(s, now)) {
    s->bulk_due_s = 0;
    return;
  }
  if (!interactive_waits(s))
    return;
  const double earned = lane_seconds(c->lane, &c->sums[PRIORITY_INTERACTIVE]);
  const double paid = lane_seconds(c->lane, &c->sums[PRIORITY_BULK]);
  const double due = s->bulk_due_s + BULK_PART / (1 - BULK_PART) * earned - paid;
  s->bulk_due_s = due > 0 ? due : 0;
}

/* Whether what is planned, with what other models take, takes longer than a part of the time that a
 * batch may take. */
static bool takes_longer(const struct scheduler *s, const struct lane *lane,
                         const struct irrep_plan *plan, double extra_seconds, double part) {
  const double own = cost_expected(&lane->model->rates[lane->precision], plan);
  return s->limits.max_batch_ns > 0 &&
         (own + extra_seconds) * 1e9 > part * (double)s->limits.max_batch_ns;
}

/* Whether what waits of a request takes longer than a batch may. */
static bool is_long(const struct scheduler *s, const struct lane *lane, const struct flow *flow) {
  return takes_longer(s, lane, &flow->waiting, flow->waiting_seconds, 1);
}

/* Why a batch cannot take an entry, with which it would be `sum` of so many bytes; NULL when it
 * can. */
static const char *reason_to_close(const struct scheduler *s, const struct candidate *c,
                                   const struct entry *entry, const struct irrep_plan *sum,
                                   size_t bytes, double extra_seconds) {
  if (bytes > s->limits.max_batch_bytes || sum->n_structures > SCHEDULER_BATCH_MAX ||
      sum->n_atoms > BATCH_INDEX_MAX || sum->n_edges > BATCH_INDEX_MAX)
    return "full";
  const bool is_guest = (c->serves_short && is_long(s, c->lane, entry->flow)) ||
                        (entry->priority == PRIORITY_BULK && c->n_of[PRIORITY_INTERACTIVE] > 0);
  return takes_longer(s, c->lane, sum, extra_seconds, is_guest ? GUEST_PART : 1) ? "time" : NULL;
}

/* Fills a candidate from one queue of its lane up to its share. Whether it can take more. */
static bool fill_from(const struct scheduler *s, struct candidate *c, enum request_priority which,
                      size_t free_bytes, size_t share_atoms) {
  const struct scheduler_hooks *h = &s->hooks;
  struct fair_walk walk = fair_walk_begin(&c->lane->queues[which]);
  for (const struct entry *e; (e = fair_walk_next(&walk));) {
    struct irrep_plan sum = c->sum, sum_of = c->sums[which];
    plan_add(&sum, &e->plan);
    plan_add(&sum_of, &e->plan);
    if (c->is_due && which == PRIORITY_BULK && c->n_entries > 0 &&
        lane_seconds(c->lane, &sum_of) > s->bulk_due_s)
      return true;
    const size_t extra_bytes = size_add(c->extra_bytes, e->extra_bytes);
    const double extra_seconds = c->extra_seconds + e->extra_seconds;
    const size_t bytes =
        size_add(h->bytes(h->context, c->lane->model, c->lane->precision, &sum), extra_bytes);
    c->reason = bytes > free_bytes ? "full"
                : c->n_entries > 0 ? reason_to_close(s, c, e, &sum, bytes, extra_seconds)
                                   : NULL;
    if (c->reason)
      return false;
    c->n_entries++;
    c->n_of[which]++;
    c->sum = sum;
    c->sums[which] = sum_of;
    c->bytes = bytes;
    c->extra_bytes = extra_bytes;
    c->extra_seconds = extra_seconds;
    c->serves_short = c->serves_short || !is_long(s, c->lane, e->flow);
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

/* Bulk that is due, then what is interactive, then bulk; among equals the oldest. */
static int rank_of(const struct candidate *c) {
  return c->is_due ? 2 : c->first == PRIORITY_INTERACTIVE ? 1 : 0;
}

static bool goes_before(const struct candidate *a, const struct candidate *b) {
  if (!b->lane)
    return true;
  if (rank_of(a) != rank_of(b))
    return rank_of(a) > rank_of(b);
  return a->lane->queues[a->first].first->arrived_ns < b->lane->queues[b->first].first->arrived_ns;
}

/* Whether a filled candidate would keep the last worker from others for long. */
static bool leaves_the_last(const struct scheduler *s, const struct candidate *c, size_t idle) {
  return c->first == PRIORITY_BULK && !c->is_due && idle == 1 && s->load.batches_running > 0 &&
         takes_longer(s, c->lane, &c->sum, c->extra_seconds, LONG_TIMES);
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
  const struct lane *due = due_lane(s, now);
  for (struct lane *lane = s->lanes; lane; lane = lane->next) {
    if (lane->load.waiting.n_structures == 0)
      continue;
    struct candidate c = {.lane = lane, .sum = IRREP_PLAN_INIT, .is_due = lane == due};
    const bool has_interactive = lane->queues[PRIORITY_INTERACTIVE].first != NULL;
    c.first = c.is_due || !has_interactive ? PRIORITY_BULK : PRIORITY_INTERACTIVE;
    if (!goes_before(&c, &best))
      continue;
    fill(s, &c, free_bytes, share_atoms);
    c.reason = reason_to_begin(s, &c, now, &s->wake_ns);
    if (leaves_the_last(s, &c, idle))
      c.n_entries = 0;
    if (c.reason)
      best = c;
  }
  return best;
}

/* Moves the candidate's entries into a batch; NULL without memory. */
static struct batch *take(struct scheduler *s, const struct candidate *c, uint64_t now) {
  struct batch *batch = calloc(1, sizeof *batch + c->n_entries * sizeof(struct entry *));
  if (!batch)
    return NULL;
  note_shares(s, c, now);
  batch->work.arena_bytes = c->bytes;
  batch->model = c->lane->model;
  batch->precision = c->lane->precision;
  batch->sum = c->sum;
  batch->reason = c->reason;
  batch->lane = c->lane;
  batch->n_live = c->n_entries;
  batch->n_entries = c->n_entries;
  for (size_t i = 0; i < c->n_entries; i++) {
    const enum request_priority which = i < c->n_of[c->first] ? c->first : 1 - c->first;
    struct entry *entry = fair_take(&c->lane->queues[which]);
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
    struct batch *batch = take(s, &c, now);
    if (!batch) {
      s->wake_ns = now + RETRY_NS;
      break;
    }
    s->hooks.start(s->hooks.context, batch);
  }
}

static void note_rate(const struct batch *batch) {
  const uint64_t ns = batch->evaluate_ns + batch->helped_ns + batch->encode_ns;
  const size_t n_rounds = batch->n_rounds > 0 ? batch->n_rounds : 1;
  if (!atomic_load(&batch->cancelled))
    cost_learn(&batch->model->rates[batch->precision], &batch->sum,
               (double)ns * 1e-9 / (double)n_rounds);
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
