#include "server/base/ledger.h"

#include <stdint.h>

/* Of the memory: what nobody counts, such as what malloc adds to blocks and keeps of freed ones.
 * Under the storms of tests/soak/containers.py it has sufficed. */
#define MARGIN_PART 8

/* Of the memory: what models must leave. */
#define WORKING_PART 4

/* Of what batches could take without them: runs. */
#define RUNS_PART 4

/* Of what is left to bodies and requests: bodies. */
#define BODIES_PART 4

/* Of the part of requests: what is left to small ones, and how many of those it would hold. */
#define SMALL_PART 8
#define SMALL_REQUESTS 64

/* Requests hold several times what their bodies take. */
#define REQUESTS_OF_BODIES 4

const char *ledger_kind_name(enum ledger_kind kind) {
#define LEDGER_NAME(name, label) label,
  static const char *const names[] = {LEDGER_KINDS(LEDGER_NAME)};
#undef LEDGER_NAME
  return names[kind];
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

static size_t without(size_t from, size_t bytes) {
  return from > bytes ? from - bytes : 0;
}

void ledger_init(struct ledger *l, size_t memory, size_t most_batches, size_t most_bodies) {
  *l = (struct ledger){.memory = memory > 0 && memory < SIZE_MAX / 2 ? memory : SIZE_MAX / 2};
  ledger_set_limits(l, most_batches, most_bodies);
}

static void tell(const struct ledger *l) {
  for (struct ledger_waiter *w = l->first, *next; w; w = next) {
    next = w->next;
    if (w->waits)
      w->freed(w->context);
  }
}

static void resize(const struct ledger *l) {
  for (const struct ledger_waiter *w = l->first; w; w = w->next)
    if (w->resized)
      w->resized(w->context);
}

void ledger_set_limits(struct ledger *l, size_t most_batches, size_t most_bodies) {
  l->most_batches = most_batches > 0 ? most_batches : SIZE_MAX;
  l->most_bodies = most_bodies > 0 ? most_bodies : SIZE_MAX;
  resize(l);
  tell(l);
}

size_t ledger_limit(const struct ledger *l) {
  return l->memory - l->memory / MARGIN_PART;
}

size_t ledger_total(const struct ledger *l) {
  size_t total = 0;
  for (size_t i = 0; i < LEDGER_N_KINDS; i++)
    total += l->used[i];
  return total;
}

/* What is left to work with, runs included, and without them. */
static size_t bytes_with_runs(const struct ledger *l) {
  return without(without(ledger_limit(l), l->used[LEDGER_PROCESS]), l->used[LEDGER_MODELS]);
}

static size_t working_bytes(const struct ledger *l) {
  return without(bytes_with_runs(l), l->used[LEDGER_RUNS]);
}

/* What is left to the part of requests, whatever the flags say. */
static size_t room_of_requests(const struct ledger *l) {
  return working_bytes(l) - ledger_part(l, LEDGER_BATCHES) - ledger_part(l, LEDGER_BODIES);
}

size_t ledger_part(const struct ledger *l, enum ledger_kind kind) {
  if (kind == LEDGER_RUNS)
    return least(l->most_batches, bytes_with_runs(l) / 2) / RUNS_PART;
  const size_t working = working_bytes(l), batches = least(l->most_batches, working / 2);
  const size_t bodies = least(l->most_bodies, (working - batches) / BODIES_PART);
  if (kind == LEDGER_BATCHES)
    return batches;
  if (kind == LEDGER_BODIES)
    return bodies;
  const size_t most = l->most_bodies > SIZE_MAX / REQUESTS_OF_BODIES
                          ? SIZE_MAX
                          : l->most_bodies * REQUESTS_OF_BODIES;
  return least(most, room_of_requests(l));
}

static size_t used_of(const struct ledger *l, enum ledger_kind kind) {
  return kind == LEDGER_REQUESTS ? l->used[LEDGER_REQUESTS] + l->used[LEDGER_ANSWERS]
                                 : l->used[kind];
}

size_t ledger_left(const struct ledger *l, enum ledger_kind kind, size_t bytes) {
  const size_t part = ledger_part(l, kind);
  const bool is_large = kind == LEDGER_REQUESTS && bytes > part / SMALL_REQUESTS;
  return without(part - (is_large ? part / SMALL_PART : 0), used_of(l, kind));
}

size_t ledger_most(const struct ledger *l, enum ledger_kind kind) {
  return kind == LEDGER_REQUESTS ? room_of_requests(l) : ledger_part(l, kind);
}

bool ledger_take(struct ledger *l, enum ledger_kind kind, size_t bytes) {
  const bool is_alone = kind == LEDGER_REQUESTS && used_of(l, kind) == 0;
  if (bytes > (is_alone ? ledger_most(l, kind) : ledger_left(l, kind, bytes)))
    return false;
  /* Other parts shrink with it, but what is taken there stays. */
  if (kind == LEDGER_RUNS && bytes > without(ledger_limit(l), ledger_total(l)))
    return false;
  ledger_add(l, kind, bytes);
  return true;
}

/* Kinds whose size is that of what others may take. */
static bool resizes(enum ledger_kind kind) {
  return kind == LEDGER_PROCESS || kind == LEDGER_MODELS || kind == LEDGER_RUNS;
}

void ledger_add(struct ledger *l, enum ledger_kind kind, size_t bytes) {
  l->used[kind] += bytes;
  if (bytes > 0 && resizes(kind))
    resize(l);
}

void ledger_give(struct ledger *l, enum ledger_kind kind, size_t bytes) {
  l->used[kind] = without(l->used[kind], bytes);
  if (bytes > 0 && resizes(kind))
    resize(l);
  if (bytes > 0)
    tell(l);
}

void ledger_set(struct ledger *l, enum ledger_kind kind, size_t bytes) {
  const bool frees = bytes < l->used[kind];
  const bool differs = bytes != l->used[kind];
  l->used[kind] = bytes;
  if (differs && resizes(kind))
    resize(l);
  if (frees)
    tell(l);
}

bool ledger_models_could_take(const struct ledger *l, size_t bytes) {
  const size_t most = without(ledger_limit(l), l->used[LEDGER_PROCESS]);
  return bytes <= without(most, l->memory / WORKING_PART);
}

bool ledger_fits(const struct ledger *l) {
  return ledger_total(l) <= ledger_limit(l);
}

void ledger_listen(struct ledger *l, struct ledger_waiter *waiter) {
  waiter->next = l->first;
  l->first = waiter;
}

void ledger_forget(struct ledger *l, struct ledger_waiter *waiter) {
  struct ledger_waiter **at = &l->first;
  while (*at && *at != waiter)
    at = &(*at)->next;
  if (*at)
    *at = waiter->next;
}
