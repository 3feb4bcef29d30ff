/* A scheduler with a clock, workers and memory that the test sets. An atom takes 10 bytes.
 * Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_FAKE_SCHEDULER_H
#define TESTS_UNIT_FAKE_SCHEDULER_H

#include "server/compute/scheduler.h"
#include "tests/unit/plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define MS UINT64_C(1000000)
#define ENTRIES 400
#define BATCHES 64

struct fixture {
  struct scheduler *scheduler;
  uint64_t now_ns;
  size_t idle, free_bytes;
  double extra_seconds; /* of the entries that are added */
  struct batch *batches[BATCHES];
  size_t n_batches;
  struct entry entries[ENTRIES];
  struct flow flows[ENTRIES]; /* each entry is a request of its own, unless told otherwise */
  size_t n_entries;
  size_t n_expired;
  const struct entry *expired;
};

static struct served_model silicon_served = {.name = "silicon"}, gold_served = {.name = "gold"};
static struct loaded_model silicon, gold;

static inline uint64_t now_ns(void *context) {
  return ((struct fixture *)context)->now_ns;
}

static inline size_t bytes(void *context, const struct loaded_model *model,
                           enum irrep_precision precision, const struct irrep_plan *plan) {
  (void)context;
  (void)model;
  return plan->n_atoms * (precision == IRREP_FLOAT64 ? 20 : 10);
}

static inline size_t idle_workers(void *context) {
  return ((struct fixture *)context)->idle;
}

static inline size_t free_bytes(void *context) {
  const struct fixture *f = context;
  return f->idle > 0 ? f->free_bytes : 0;
}

static inline void start(void *context, struct batch *batch) {
  struct fixture *f = context;
  assert_true(f->idle > 0);
  assert_true(f->n_batches < BATCHES);
  assert_true(batch->n_entries > 0);
  assert_true(batch->work.arena_bytes <= f->free_bytes);
  size_t n_atoms = 0;
  for (size_t i = 0; i < batch->n_entries; i++) {
    assert_int_equal(batch->entries[i]->state, ENTRY_RUNNING);
    assert_ptr_equal(batch->entries[i]->batch, batch);
    n_atoms += batch->entries[i]->plan.n_atoms;
  }
  assert_int_equal(batch->sum.n_atoms, n_atoms);
  assert_int_equal(batch->sum.n_structures, batch->n_entries);
  f->free_bytes -= batch->work.arena_bytes;
  f->idle--;
  f->batches[f->n_batches++] = batch;
}

static inline void expired(void *context, struct entry *entry) {
  struct fixture *f = context;
  assert_int_equal(entry->state, ENTRY_IDLE);
  f->n_expired++;
  f->expired = entry;
}

static inline int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f)
    return -1;
  *state = f;
  silicon = (struct loaded_model){.served = &silicon_served};
  gold = (struct loaded_model){.served = &gold_served};
  f->now_ns = 1000 * MS;
  f->idle = 1;
  f->free_bytes = 100000;
  const struct scheduler_hooks hooks = {.context = f,
                                        .now_ns = now_ns,
                                        .bytes = bytes,
                                        .idle_workers = idle_workers,
                                        .free_bytes = free_bytes,
                                        .start = start,
                                        .expired = expired};
  const struct scheduler_limits limits = {
      .max_batch_bytes = 1000, .max_queue = 300, .max_delay_ns = 2 * MS};
  f->scheduler = scheduler_new(&hooks, &limits);
  return f->scheduler ? 0 : -1;
}

static inline int tear_down(void **state) {
  struct fixture *f = *state;
  size_t waiting = scheduler_load(f->scheduler, NULL).waiting.n_structures;
  size_t running = scheduler_load(f->scheduler, NULL).batches_running;
  scheduler_free(f->scheduler);
  free(f);
  return waiting + running > 0;
}

static inline struct entry *add_to(struct fixture *f, struct loaded_model *model,
                                   enum irrep_precision precision, enum request_priority priority,
                                   size_t n_atoms) {
  assert_true(f->n_entries < ENTRIES);
  struct entry *entry = &f->entries[f->n_entries];
  *entry = (struct entry){.plan = PLAN(1, n_atoms, 0),
                          .extra_seconds = f->extra_seconds,
                          .flow = &f->flows[f->n_entries++],
                          .priority = priority,
                          .arrived_ns = f->now_ns,
                          .deadline_ns = SCHEDULER_NEVER};
  assert_int_equal(scheduler_add(f->scheduler, model, precision, entry), SCHEDULER_ADDED);
  return entry;
}

static inline struct entry *add(struct fixture *f, size_t n_atoms) {
  return add_to(f, &silicon, IRREP_FLOAT32, PRIORITY_INTERACTIVE, n_atoms);
}

/* A request of one structure comes. */
static inline struct entry *arrive(struct fixture *f, size_t n_atoms) {
  scheduler_enter(f->scheduler);
  struct entry *entry = add(f, n_atoms);
  scheduler_entered(f->scheduler);
  scheduler_run(f->scheduler);
  return entry;
}

static inline void leave(struct fixture *f, size_t n) {
  for (size_t i = 0; i < n; i++)
    scheduler_leave(f->scheduler);
}

/* The oldest batch ends. */
static inline void end(struct fixture *f) {
  assert_true(f->n_batches > 0);
  struct batch *batch = f->batches[0];
  memmove(f->batches, f->batches + 1, --f->n_batches * sizeof(struct batch *));
  f->free_bytes += batch->work.arena_bytes;
  f->idle++;
  scheduler_finished(f->scheduler, batch);
  for (size_t i = 0; i < batch->n_entries; i++)
    assert_int_equal(batch->entries[i]->state, ENTRY_IDLE);
  free(batch);
}

static inline void end_all(struct fixture *f) {
  while (f->n_batches > 0) {
    end(f);
    scheduler_run(f->scheduler);
  }
}

static inline void expect_batch(const struct fixture *f, size_t index, size_t n,
                                const char *reason) {
  assert_true(index < f->n_batches);
  assert_int_equal(f->batches[index]->n_entries, n);
  assert_string_equal(f->batches[index]->reason, reason);
}

#endif
