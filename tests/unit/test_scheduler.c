#include "server/scheduler.h"

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

/* A scheduler with a clock, workers and memory that the test sets. An atom takes 10 bytes. */
struct fixture {
  struct scheduler *scheduler;
  uint64_t now_ns;
  size_t idle, free_bytes;
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

static uint64_t now_ns(void *context) {
  return ((struct fixture *)context)->now_ns;
}

static size_t bytes(void *context, const struct loaded_model *model, enum irrep_precision precision,
                    const struct irrep_plan *plan) {
  (void)context;
  (void)model;
  return plan->n_atoms * (precision == IRREP_FLOAT64 ? 20 : 10);
}

static size_t idle_workers(void *context) {
  return ((struct fixture *)context)->idle;
}

static size_t free_bytes(void *context) {
  const struct fixture *f = context;
  return f->idle > 0 ? f->free_bytes : 0;
}

static void start(void *context, struct batch *batch) {
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

static void expired(void *context, struct entry *entry) {
  struct fixture *f = context;
  assert_int_equal(entry->state, ENTRY_IDLE);
  f->n_expired++;
  f->expired = entry;
}

static int set_up(void **state) {
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

static int tear_down(void **state) {
  struct fixture *f = *state;
  size_t waiting = scheduler_load(f->scheduler, NULL).waiting_structures;
  size_t running = scheduler_load(f->scheduler, NULL).batches_running;
  scheduler_free(f->scheduler);
  free(f);
  return waiting + running > 0;
}

static struct entry *add_to(struct fixture *f, struct loaded_model *model,
                            enum irrep_precision precision, enum request_priority priority,
                            size_t n_atoms) {
  assert_true(f->n_entries < ENTRIES);
  struct entry *entry = &f->entries[f->n_entries];
  *entry = (struct entry){.plan = {1, n_atoms, 0},
                          .flow = &f->flows[f->n_entries++],
                          .priority = priority,
                          .arrived_ns = f->now_ns,
                          .deadline_ns = SCHEDULER_NEVER};
  assert_int_equal(scheduler_add(f->scheduler, model, precision, entry), SCHEDULER_ADDED);
  return entry;
}

static struct entry *add(struct fixture *f, size_t n_atoms) {
  return add_to(f, &silicon, IRREP_FLOAT32, PRIORITY_INTERACTIVE, n_atoms);
}

/* A request of one structure comes. */
static struct entry *arrive(struct fixture *f, size_t n_atoms) {
  scheduler_enter(f->scheduler);
  struct entry *entry = add(f, n_atoms);
  scheduler_entered(f->scheduler);
  scheduler_run(f->scheduler);
  return entry;
}

static void leave(struct fixture *f, size_t n) {
  for (size_t i = 0; i < n; i++)
    scheduler_leave(f->scheduler);
}

/* The oldest batch ends. */
static void end(struct fixture *f) {
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

static void end_all(struct fixture *f) {
  while (f->n_batches > 0) {
    end(f);
    scheduler_run(f->scheduler);
  }
}

static void expect_batch(const struct fixture *f, size_t index, size_t n, const char *reason) {
  assert_true(index < f->n_batches);
  assert_int_equal(f->batches[index]->n_entries, n);
  assert_string_equal(f->batches[index]->reason, reason);
}

/* Requests one after the other never wait. */
static void test_sequential_client(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 5; i++) {
    arrive(f, 8);
    expect_batch(f, 0, 1, "idle");
    assert_true(scheduler_wake_ns(f->scheduler) == SCHEDULER_NEVER);
    f->now_ns += 3 * MS;
    end(f);
    leave(f, 1);
    f->now_ns += MS / 10;
  }
}

/* What comes while all workers are busy is the next batch, in order. */
static void test_waiting_becomes_a_batch(void **state) {
  struct fixture *f = *state;
  arrive(f, 8);
  struct entry *first = arrive(f, 8);
  for (int i = 0; i < 9; i++)
    arrive(f, 8);
  assert_int_equal(f->n_batches, 1);
  assert_int_equal(scheduler_load(f->scheduler, &silicon_served).waiting_structures, 10);
  assert_int_equal(scheduler_load(f->scheduler, &silicon_served).waiting_atoms, 80);
  assert_int_equal(scheduler_load(f->scheduler, &gold_served).waiting_atoms, 0);
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 10, "idle");
  for (size_t i = 0; i < 10; i++)
    assert_ptr_equal(f->batches[0]->entries[i], first + i);
  assert_int_equal(f->batches[0]->work.arena_bytes, 800);
  end(f);
  leave(f, 11);
}

/* The first of several clients to come back waits for the others, but only for max_delay. */
static void test_delay(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 3; i++)
    arrive(f, 8);
  end_all(f);
  leave(f, 3);
  f->now_ns += MS;
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  assert_true(scheduler_wake_ns(f->scheduler) == f->now_ns + 2 * MS);
  f->now_ns += MS;
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  f->now_ns += MS - 1;
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_batches, 0);
  f->now_ns += 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "delay");
  end(f);
  leave(f, 2);
  /* All three are back before the delay: no reason to wait on. */
  for (int i = 0; i < 3; i++)
    arrive(f, 8);
  expect_batch(f, 0, 3, "idle");
  end(f);
  leave(f, 3);
  /* After a while nobody is expected any more. */
  f->now_ns += 2 * SCHEDULER_PEAK_NS;
  arrive(f, 8);
  expect_batch(f, 0, 1, "idle");
  end(f);
  leave(f, 1);
}

/* A request that is still being read is waited for. */
static void test_waits_for_reading(void **state) {
  struct fixture *f = *state;
  scheduler_enter(f->scheduler);
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  add(f, 8);
  scheduler_entered(f->scheduler);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "idle");
  end(f);
  leave(f, 2);
}

/* Peaks are remembered across one change of the window, not longer. */
static void test_peak_window(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 3; i++)
    arrive(f, 8);
  end_all(f);
  leave(f, 3);
  f->now_ns += SCHEDULER_PEAK_NS + MS;
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  f->now_ns += 2 * MS;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "delay");
  end(f);
  leave(f, 1);
  f->now_ns += SCHEDULER_PEAK_NS;
  arrive(f, 8);
  expect_batch(f, 0, 1, "idle");
  end(f);
  leave(f, 1);
}

static void test_full(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 15; i++)
    add(f, 8);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 12, "full"); /* 960 of 1000 bytes */
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 3, "idle");
  end(f);
}

/* A structure above max_batch_bytes goes alone. */
static void test_oversized(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  add(f, 8);
  add(f, 500);
  add(f, 8);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "full");
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "full");
  assert_int_equal(f->batches[0]->work.arena_bytes, 5000);
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "idle");
  end(f);
}

/* Idle workers share what waits by atoms. */
static void test_shares(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 24; i++)
    add(f, 3);
  f->idle = 2;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 12, "idle");
  expect_batch(f, 1, 12, "idle");
  end_all(f);
  f->idle = 0;
  add(f, 30);
  for (int i = 0; i < 10; i++)
    add(f, 3);
  f->idle = 2;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "idle");
  expect_batch(f, 1, 10, "idle");
  end_all(f);
  f->idle = 3;
  f->now_ns += 2 * SCHEDULER_PEAK_NS;
  arrive(f, 8);
  arrive(f, 8);
  expect_batch(f, 1, 1, "idle");
  end_all(f);
  leave(f, 2);
}

/* The head that does not fit the free memory waits, and nothing overtakes it. */
static void test_memory(void **state) {
  struct fixture *f = *state;
  f->idle = 3;
  f->free_bytes = 1500;
  add(f, 100);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "idle");
  add(f, 90);
  f->now_ns++;
  add_to(f, &gold, IRREP_FLOAT32, PRIORITY_INTERACTIVE, 1);
  add(f, 1);
  f->now_ns += 5 * MS;
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_batches, 1);
  end(f);
  scheduler_run(f->scheduler);
  assert_true(f->n_batches >= 2);
  assert_int_equal(f->batches[0]->sum.n_atoms, 90);
  end_all(f);
}

/* Batches are cut where the free memory ends. */
static void test_memory_cuts(void **state) {
  struct fixture *f = *state;
  f->free_bytes = 250;
  f->idle = 0;
  for (int i = 0; i < 4; i++)
    add(f, 10);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "full");
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "idle");
  end(f);
}

static void test_lanes(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 2; i++) {
    add_to(f, &gold, IRREP_FLOAT32, PRIORITY_INTERACTIVE, 1);
    f->now_ns++;
    add_to(f, &silicon, IRREP_FLOAT64, PRIORITY_INTERACTIVE, 2);
    f->now_ns++;
    add_to(f, &silicon, IRREP_FLOAT32, PRIORITY_INTERACTIVE, 3);
    f->now_ns++;
  }
  f->idle = 3;
  scheduler_run(f->scheduler);
  for (size_t i = 0; i < 3; i++) {
    expect_batch(f, i, 2, "idle");
    assert_int_equal(f->batches[i]->sum.n_atoms, 2 * (i + 1));
  }
  assert_ptr_equal(f->batches[0]->model, &gold);
  assert_int_equal(f->batches[1]->precision, IRREP_FLOAT64);
  assert_int_equal(f->batches[1]->work.arena_bytes, 80);
  assert_int_equal(scheduler_load(f->scheduler, &silicon_served).batches_running, 2);
  end_all(f);
}

static void test_priorities(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  struct entry *bulk = add_to(f, &silicon, IRREP_FLOAT32, PRIORITY_BULK, 60);
  f->now_ns++;
  struct entry *other = add_to(f, &gold, IRREP_FLOAT32, PRIORITY_BULK, 1);
  f->now_ns += MS;
  struct entry *interactive = add(f, 60);
  f->idle = 1;
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], interactive); /* the lane's bulk does not fit */
  expect_batch(f, 0, 1, "full");
  end(f);
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], bulk);
  end(f);
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], other);
  end(f);
}

/* Bulk fills what interactive leaves of a batch. */
static void test_bulk_fills_up(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  add_to(f, &silicon, IRREP_FLOAT32, PRIORITY_BULK, 8);
  struct entry *interactive = add(f, 8);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "idle");
  assert_ptr_equal(f->batches[0]->entries[0], interactive);
  end(f);
}

/* Bulk that has waited long enough goes before younger interactive structures. */
static void test_bulk_does_not_starve(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  struct entry *bulk = add_to(f, &silicon, IRREP_FLOAT32, PRIORITY_BULK, 60);
  f->now_ns += SCHEDULER_BULK_PATIENCE_NS;
  add(f, 60);
  f->idle = 1;
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], bulk);
  end_all(f);
}

static void test_deadlines(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  struct entry *late = add(f, 8);
  struct entry *later = add(f, 8);
  add(f, 8);
  scheduler_remove(f->scheduler, late); /* to be added again with a deadline */
  scheduler_remove(f->scheduler, later);
  late->deadline_ns = f->now_ns + 5 * MS;
  later->deadline_ns = f->now_ns + 9 * MS;
  assert_int_equal(scheduler_add(f->scheduler, &silicon, IRREP_FLOAT32, late), SCHEDULER_ADDED);
  assert_int_equal(scheduler_add(f->scheduler, &silicon, IRREP_FLOAT32, later), SCHEDULER_ADDED);
  scheduler_run(f->scheduler);
  assert_true(scheduler_wake_ns(f->scheduler) == late->deadline_ns);
  f->now_ns += 5 * MS;
  f->idle = 1; /* even now it is not computed */
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_expired, 1);
  assert_ptr_equal(f->expired, late);
  expect_batch(f, 0, 2, "delay");
  f->now_ns += 5 * MS; /* what runs does not expire */
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_expired, 1);
  assert_true(scheduler_wake_ns(f->scheduler) == SCHEDULER_NEVER);
  end(f);
}

static void test_remove(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  struct entry *entries[4];
  for (size_t i = 0; i < 4; i++)
    entries[i] = add(f, 8);
  scheduler_remove(f->scheduler, entries[1]);
  assert_int_equal(scheduler_load(f->scheduler, NULL).waiting_structures, 3);
  assert_int_equal(entries[1]->state, ENTRY_IDLE);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 3, "idle");
  assert_ptr_equal(f->batches[0]->entries[1], entries[2]);
  scheduler_remove(f->scheduler, entries[0]);
  scheduler_remove(f->scheduler, entries[2]);
  assert_int_equal(atomic_load(&f->batches[0]->cancelled), 0);
  scheduler_remove(f->scheduler, entries[3]);
  assert_int_equal(atomic_load(&f->batches[0]->cancelled), 1);
  end(f);
}

static void test_queue_bound(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 300; i++)
    add(f, 1);
  assert_false(scheduler_has_room(f->scheduler, 1, 1));
  assert_true(scheduler_has_room(f->scheduler, 0, 0));
  struct flow flow = {0};
  struct entry one_more = {.plan = {1, 1, 0}, .flow = &flow, .deadline_ns = SCHEDULER_NEVER};
  assert_int_equal(scheduler_add(f->scheduler, &gold, IRREP_FLOAT32, &one_more), SCHEDULER_FULL);
  assert_int_equal(one_more.state, ENTRY_IDLE);
  scheduler_remove(f->scheduler, &f->entries[0]);
  assert_true(scheduler_has_room(f->scheduler, 1, 1));
  assert_false(scheduler_has_room(f->scheduler, 2, 2));
  assert_false(scheduler_has_room(f->scheduler, SIZE_MAX, 1));
  f->idle = 1;
  scheduler_run(f->scheduler);
  end_all(f);
}

/* Sums of a batch stay within 32-bit indices. */
static void test_index_bound(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 2; i++) {
    struct entry *entry = add(f, 1);
    entry->plan.n_edges = (size_t)INT32_MAX / 2 + 1;
  }
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "full");
  end_all(f);
}

static void test_drain(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 3; i++)
    arrive(f, 8);
  end_all(f);
  leave(f, 3);
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  scheduler_drain(f->scheduler);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "drain");
  end(f);
  leave(f, 1);
}

/* Entries of one request. */
static void add_request(struct fixture *f, size_t n, size_t n_atoms) {
  struct flow *flow = &f->flows[f->n_entries];
  for (size_t i = 0; i < n; i++) {
    struct entry *entry = add(f, n_atoms);
    scheduler_remove(f->scheduler, entry); /* to be added again under the one flow */
    entry->flow = flow;
    assert_int_equal(scheduler_add(f->scheduler, &silicon, IRREP_FLOAT32, entry), SCHEDULER_ADDED);
  }
}

/* A small request that comes after a request of many structures is in the next batch. */
static void test_requests_take_turns(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  add_request(f, 40, 10); /* ten fit a batch */
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 10, "full");
  f->now_ns++;
  struct entry *small = add(f, 10), *other = add(f, 10);
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 10, "full");
  assert_ptr_equal(f->batches[0]->entries[1], small);
  assert_ptr_equal(f->batches[0]->entries[2], other);
  end_all(f);
  assert_int_equal(scheduler_load(f->scheduler, NULL).waiting_structures, 0);
}

/* Two requests of many share each batch. */
static void test_equal_shares(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  add_request(f, 30, 10);
  const struct flow *first = f->entries[0].flow;
  add_request(f, 30, 10);
  f->idle = 1;
  for (int turn = 0; turn < 6; turn++) {
    size_t n_first = 0;
    scheduler_run(f->scheduler);
    expect_batch(f, 0, 10, turn < 5 ? "full" : "idle");
    for (size_t i = 0; i < 10; i++)
      n_first += f->batches[0]->entries[i]->flow == first;
    assert_int_equal(n_first, 5);
    end(f);
  }
}

/* Batches are bounded in time once a rate is known; one structure alone is not. */
static void test_time_bound(void **state) {
  struct fixture *f = *state;
  const struct scheduler_limits limits = {
      .max_batch_bytes = 1000, .max_queue = 300, .max_batch_ns = 30 * MS, .max_delay_ns = 2 * MS};
  scheduler_set_limits(f->scheduler, &limits);
  f->idle = 0;
  for (int i = 0; i < 3; i++)
    add(f, 10);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 3, "idle");
  f->batches[0]->evaluate_ns = 30 * MS; /* a millisecond an atom */
  end(f);
  f->idle = 0;
  for (int i = 0; i < 5; i++)
    add(f, 10);
  add(f, 50);
  assert_float_equal(scheduler_backlog_seconds(f->scheduler), 0.1, 1e-12);
  f->idle = 1;
  static const size_t wanted[] = {3, 2, 1};
  for (size_t i = 0; i < 3; i++) {
    scheduler_run(f->scheduler);
    expect_batch(f, 0, wanted[i], i < 2 ? "time" : "idle");
    end(f);
  }
  assert_true(scheduler_backlog_seconds(f->scheduler) == 0);
}

/* The rate follows the batches that ran to their end. */
static void test_rate(void **state) {
  struct fixture *f = *state;
  static const uint64_t times[] = {100 * MS, 20 * MS, 20 * MS, 20 * MS};
  double before = 1;
  for (size_t i = 0; i < 4; i++) {
    add(f, 10);
    scheduler_run(f->scheduler);
    f->batches[0]->evaluate_ns = times[i];
    end(f);
    assert_true(silicon.cost_seconds[IRREP_FLOAT32] < before);
    before = silicon.cost_seconds[IRREP_FLOAT32];
  }
  assert_true(before > 20e-3 / 160 && before < 60e-3 / 160);
  struct entry *entry = add(f, 10);
  scheduler_run(f->scheduler);
  scheduler_remove(f->scheduler, entry);
  f->batches[0]->evaluate_ns = 1;
  end(f);
  assert_true(silicon.cost_seconds[IRREP_FLOAT32] == before);
  assert_true(silicon.cost_seconds[IRREP_FLOAT64] == 0);
}

static void test_atoms_bound(void **state) {
  struct fixture *f = *state;
  const struct scheduler_limits limits = {
      .max_batch_bytes = 1000, .max_queue = 300, .max_queue_atoms = 100, .max_delay_ns = 2 * MS};
  scheduler_set_limits(f->scheduler, &limits);
  f->idle = 0;
  assert_true(scheduler_has_room(f->scheduler, 1, 5000)); /* nothing waits */
  add(f, 60);
  assert_true(scheduler_has_room(f->scheduler, 2, 40));
  assert_false(scheduler_has_room(f->scheduler, 1, 41));
  f->idle = 1;
  scheduler_run(f->scheduler);
  end_all(f);
}

/* A model may go when nothing of it is left: the scheduler does not look at it any more. */
static void test_forgets_models(void **state) {
  struct fixture *f = *state;
  add_to(f, &gold, IRREP_FLOAT32, PRIORITY_INTERACTIVE, 5);
  scheduler_run(f->scheduler);
  end(f);
  struct entry *entry = add_to(f, &gold, IRREP_FLOAT64, PRIORITY_BULK, 5);
  scheduler_remove(f->scheduler, entry);
  gold.served = NULL; /* a lane that was left would look */
  assert_int_equal(scheduler_load(f->scheduler, &gold_served).waiting_structures, 0);
  add(f, 5);
  scheduler_run(f->scheduler);
  end_all(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_sequential_client),
      TEST(test_waiting_becomes_a_batch),
      TEST(test_delay),
      TEST(test_waits_for_reading),
      TEST(test_peak_window),
      TEST(test_full),
      TEST(test_oversized),
      TEST(test_shares),
      TEST(test_memory),
      TEST(test_memory_cuts),
      TEST(test_lanes),
      TEST(test_priorities),
      TEST(test_bulk_fills_up),
      TEST(test_bulk_does_not_starve),
      TEST(test_deadlines),
      TEST(test_remove),
      TEST(test_queue_bound),
      TEST(test_index_bound),
      TEST(test_drain),
      TEST(test_requests_take_turns),
      TEST(test_equal_shares),
      TEST(test_time_bound),
      TEST(test_rate),
      TEST(test_atoms_bound),
      TEST(test_forgets_models),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
