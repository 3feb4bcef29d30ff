/* The scheduler under many clients on a simulated clock: each asks for one structure, waits for its
 * answer, and asks again; two workers take a while for each structure of a batch. */
#include "server/compute/scheduler.h"
#include "tests/unit/plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define CLIENTS_MAX 1024
#define WORKERS 2

struct client {
  struct entry entry;
  struct flow flow;
  enum request_priority priority;
  bool waits;      /* for an answer */
  uint64_t ask_ns; /* when it asks next, unless it waits */
};

struct simulation {
  struct scheduler *scheduler;
  uint64_t now_ns, structure_ns, think_ns;
  uint64_t max_batch_ns;    /* 0: no bound */
  size_t n_clients, n_bulk; /* the last of them ask for bulk */
  struct client clients[CLIENTS_MAX];
  struct batch *running[WORKERS];
  uint64_t ends_ns[WORKERS];
  size_t n_batches, n_structures;
  uint64_t longest_wait_ns;
  uint64_t longest_ns[2]; /* from asking to the answer, by enum request_priority */
  size_t n_answers[2];
};

static struct served_model served = {.name = "silicon"};
static struct loaded_model model = {.served = &served};

static uint64_t now_ns(void *context) {
  return ((struct simulation *)context)->now_ns;
}

static size_t bytes(void *context, const struct loaded_model *loaded,
                    enum irrep_precision precision, const struct irrep_plan *plan) {
  (void)context;
  (void)loaded;
  (void)precision;
  return plan->n_atoms;
}

static size_t idle_workers(void *context) {
  const struct simulation *sim = context;
  size_t n = 0;
  for (size_t i = 0; i < WORKERS; i++)
    n += !sim->running[i];
  return n;
}

static size_t free_bytes(void *context) {
  (void)context;
  return 1000000;
}

static void start(void *context, struct batch *batch) {
  struct simulation *sim = context;
  size_t i = 0;
  while (sim->running[i])
    i++;
  sim->running[i] = batch;
  batch->evaluate_ns = batch->n_entries * sim->structure_ns;
  sim->ends_ns[i] = sim->now_ns + batch->evaluate_ns;
  sim->n_batches++;
  sim->n_structures += batch->n_entries;
  for (size_t k = 0; k < batch->n_entries; k++) {
    uint64_t wait_ns = sim->now_ns - batch->entries[k]->arrived_ns;
    if (wait_ns > sim->longest_wait_ns)
      sim->longest_wait_ns = wait_ns;
  }
}

static void expired(void *context, struct entry *entry) {
  (void)context;
  (void)entry;
  fail();
}

/* Answers are read one after the other, so clients come back one by one. */
static void end_batch(struct simulation *sim, size_t i) {
  struct batch *batch = sim->running[i];
  sim->running[i] = NULL;
  scheduler_finished(sim->scheduler, batch);
  for (size_t k = 0; k < batch->n_entries; k++) {
    struct client *client = batch->entries[k]->owner;
    const uint64_t took_ns = sim->now_ns - client->entry.arrived_ns;
    if (took_ns > sim->longest_ns[client->priority])
      sim->longest_ns[client->priority] = took_ns;
    sim->n_answers[client->priority]++;
    client->waits = false;
    client->ask_ns = sim->now_ns + (k + 1) * sim->think_ns;
    scheduler_leave(sim->scheduler);
  }
  free(batch);
}

static void ask(struct simulation *sim, struct client *client) {
  client->waits = true;
  client->entry = (struct entry){.plan = PLAN(1, 8, 0),
                                 .flow = &client->flow,
                                 .priority = client->priority,
                                 .arrived_ns = sim->now_ns,
                                 .deadline_ns = SCHEDULER_NEVER,
                                 .owner = client};
  scheduler_enter(sim->scheduler);
  assert_int_equal(scheduler_add(sim->scheduler, &model, IRREP_FLOAT32, &client->entry),
                   SCHEDULER_ADDED);
  scheduler_entered(sim->scheduler);
  scheduler_run(sim->scheduler);
}

static uint64_t next_event_ns(const struct simulation *sim) {
  uint64_t next = scheduler_wake_ns(sim->scheduler);
  for (size_t i = 0; i < WORKERS; i++)
    if (sim->running[i] && sim->ends_ns[i] < next)
      next = sim->ends_ns[i];
  for (size_t i = 0; i < sim->n_clients; i++)
    if (!sim->clients[i].waits && sim->clients[i].ask_ns < next)
      next = sim->clients[i].ask_ns;
  return next;
}

static void step(struct simulation *sim) {
  uint64_t next = next_event_ns(sim);
  assert_true(next != SCHEDULER_NEVER);
  if (next > sim->now_ns)
    sim->now_ns = next;
  for (size_t i = 0; i < WORKERS; i++)
    if (sim->running[i] && sim->ends_ns[i] <= sim->now_ns)
      end_batch(sim, i);
  scheduler_run(sim->scheduler);
  for (size_t i = 0; i < sim->n_clients; i++)
    if (!sim->clients[i].waits && sim->clients[i].ask_ns <= sim->now_ns)
      ask(sim, &sim->clients[i]);
}

/* Runs for so long with what is set of sim. */
static void run_for(struct simulation *sim, uint64_t duration_ns) {
  const struct scheduler_hooks hooks = {.context = sim,
                                        .now_ns = now_ns,
                                        .bytes = bytes,
                                        .idle_workers = idle_workers,
                                        .free_bytes = free_bytes,
                                        .start = start,
                                        .expired = expired};
  const struct scheduler_limits limits = {.max_batch_bytes = 100000,
                                          .max_queue = 2000,
                                          .max_batch_ns = sim->max_batch_ns,
                                          .max_delay_ns = 2 * MS};
  model.rates[IRREP_FLOAT32] = (struct cost_rates){0};
  sim->now_ns = 1000 * MS;
  sim->scheduler = scheduler_new(&hooks, &limits);
  assert_non_null(sim->scheduler);
  for (size_t i = 0; i < sim->n_clients; i++) {
    sim->clients[i].ask_ns = sim->now_ns + i * sim->think_ns;
    sim->clients[i].priority =
        i < sim->n_clients - sim->n_bulk ? PRIORITY_INTERACTIVE : PRIORITY_BULK;
  }
  while (sim->now_ns < 1000 * MS + duration_ns)
    step(sim);
  for (size_t i = 0; i < sim->n_clients; i++)
    if (sim->clients[i].entry.state == ENTRY_WAITING)
      scheduler_remove(sim->scheduler, &sim->clients[i].entry);
  for (size_t i = 0; i < WORKERS; i++)
    if (sim->running[i])
      end_batch(sim, i);
  scheduler_free(sim->scheduler);
}

/* Runs for two simulated seconds; returns the mean batch. */
static double simulate(struct simulation *sim, size_t n_clients, uint64_t structure_ns,
                       uint64_t think_ns) {
  *sim = (struct simulation){
      .structure_ns = structure_ns, .think_ns = think_ns, .n_clients = n_clients};
  run_for(sim, 2000 * MS);
  return (double)sim->n_structures / (double)sim->n_batches;
}

/* However long a structure takes, and however fast the clients come back, batches are large. */
static void test_many_clients(void **state) {
  (void)state;
  static const uint64_t structure_ns[] = {200 * US, MS, 5 * MS};
  static const uint64_t think_ns[] = {10 * US, 50 * US, 250 * US};
  struct simulation *sim = malloc(sizeof *sim);
  assert_non_null(sim);
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < 3; k++) {
      double mean = simulate(sim, 64, structure_ns[i], think_ns[k]);
      if (!(mean > 4))
        fail_msg("%g structures a batch, %llu ns each, %llu ns between clients", mean,
                 (unsigned long long)structure_ns[i], (unsigned long long)think_ns[k]);
    }
  free(sim);
}

/* A single client waits for nothing, and few clients keep both workers at work. */
static void test_few_clients(void **state) {
  (void)state;
  struct simulation *sim = malloc(sizeof *sim);
  assert_non_null(sim);
  assert_true(simulate(sim, 1, MS, 50 * US) == 1);
  assert_int_equal(sim->longest_wait_ns, 0);
  assert_true(sim->n_structures > 1800); /* of 2 s / 1.05 ms */
  for (size_t n_clients = 2; n_clients <= 8; n_clients++) {
    simulate(sim, n_clients, MS, 50 * US);
    assert_true(sim->n_structures > 3600); /* of 2 * 2 s / 1 ms */
  }
  free(sim);
}

/* Beside a flood of bulk that waits for seconds, no interactive answer takes two batches, and the
 * workers are never idle. */
static void test_flood(void **state) {
  (void)state;
  struct simulation *sim = malloc(sizeof *sim);
  assert_non_null(sim);
  for (size_t n_interactive = 1; n_interactive <= 4; n_interactive++) {
    *sim = (struct simulation){.structure_ns = 5 * MS,
                               .think_ns = 50 * US,
                               .max_batch_ns = 50 * MS,
                               .n_clients = 800 + n_interactive,
                               .n_bulk = 800};
    run_for(sim, 20000 * MS);
    assert_true(sim->longest_ns[PRIORITY_BULK] > 1500 * MS);
    assert_true(sim->n_answers[PRIORITY_INTERACTIVE] > 200 * n_interactive);
    if (sim->longest_ns[PRIORITY_INTERACTIVE] >= 2 * sim->max_batch_ns)
      fail_msg("%llu ms beside bulk",
               (unsigned long long)(sim->longest_ns[PRIORITY_INTERACTIVE] / MS));
    const size_t n = sim->n_answers[0] + sim->n_answers[1];
    assert_true(n > 7900); /* of 2 * 20 s / 5 ms */
  }
  free(sim);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_many_clients),
      cmocka_unit_test(test_few_clients),
      cmocka_unit_test(test_flood),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
