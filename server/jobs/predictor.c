#include "server/jobs/predictor.h"

#include "server/jobs/job_batches.h"
#include "server/jobs/job_delivery.h"
#include "server/jobs/job_reading.h"
#include "server/jobs/predictor_queue.h"

#include <stdlib.h>

#define NANOSECONDS_PER_MS UINT64_C(1000000)

static struct scheduler_limits limits_of(const struct predictor *p) {
  const struct config *config = p->config;
  const size_t budget = predictor_batches_budget(p), batch = config->max_batch_bytes;
  return (struct scheduler_limits){.max_batch_bytes = batch < budget ? batch : budget,
                                   .max_batch_ns = config->max_batch_ms * NANOSECONDS_PER_MS,
                                   .max_queue = config->max_queue,
                                   .max_queue_atoms = config->max_queue_atoms,
                                   .max_delay_ns = config->max_delay_us * 1000};
}

struct predictor_stats predictor_stats_of(const struct predictor *p,
                                          const struct served_model *served) {
  const struct scheduler_load load = scheduler_load(p->scheduler, served);
  return (struct predictor_stats){.queued_structures = load.waiting.n_structures,
                                  .queued_atoms = load.waiting.n_atoms,
                                  .batches_running = load.batches_running};
}

struct predictor_stats predictor_stats(const struct predictor *p) {
  struct predictor_stats stats = predictor_stats_of(p, NULL);
  stats.planned_bytes = predictor_planned_bytes(p);
  stats.workers = workers_count(p->workers);
  stats.workers_idle = workers_idle(p->workers);
  stats.queued_seconds = predictor_backlog_seconds(p);
  stats.planning_requests = p->turns.n_requests;
  stats.planning_structures = p->turns.n_structures;
  stats.n_turns = p->turns.n;
  stats.n_illegal = p->n_illegal;
  return stats;
}

const struct profile_totals *predictor_profile(const struct predictor *p) {
  return &p->profile;
}

/* The part of batches has another size. */
static void on_resized(void *context) {
  struct predictor *p = context;
  if (!p->workers) /* it is being made */
    return;
  const struct scheduler_limits limits = limits_of(p);
  scheduler_set_limits(p->scheduler, &limits);
  workers_set_budget(p->workers, predictor_batches_budget(p));
  graph_store_set_budget(&p->graphs, predictor_batches_budget(p));
}

void predictor_limits_changed(struct predictor *p) {
  ledger_set_limits(p->ledger, p->config->memory_budget, p->config->max_receiving_bytes);
  predictor_note_memory(p);
  predictor_run(p);
}

void predictor_reload(struct predictor *p) {
  dispersion_data_reload(p->config->models_dir ? p->config->models_dir : "", &p->dispersion);
}

struct ledger *predictor_ledger(const struct predictor *p) {
  return p->ledger;
}

void predictor_drain(struct predictor *p, void (*idle)(void *context), void *context) {
  p->draining = true;
  p->drained = idle;
  p->drained_context = context;
  metrics_draining(p->metrics, 1);
  scheduler_drain(p->scheduler);
  predictor_run(p);
  if (p->n_jobs == 0)
    next_turn_ask(&p->next_turn);
}

/* Life */

/* The next turn of the loop */
static void on_turn(void *context) {
  struct predictor *p = context;
  jobs_deliver(p);
  if (p->waiter.waits)
    job_reading_go_on(p);
  if (p->draining && p->n_jobs == 0 && p->drained) {
    void (*drained)(void *) = p->drained;
    p->drained = NULL;
    drained(p->drained_context);
  }
}

static void on_settled(void *context) {
  predictor_run(context);
}

static void on_freed(void *context) {
  struct predictor *p = context;
  next_turn_ask(&p->next_turn);
}

/* NULL: one of its own. */
static void use_ledger(struct predictor *p, struct ledger *ledger) {
  ledger_init(&p->own, 0, p->config->memory_budget, p->config->max_receiving_bytes);
  p->ledger = ledger ? ledger : &p->own;
  p->waiter = (struct ledger_waiter){.freed = on_freed, .resized = on_resized, .context = p};
  ledger_listen(p->ledger, &p->waiter);
}

static struct scheduler *new_scheduler(struct predictor *p) {
  const struct scheduler_hooks hooks = job_batches_hooks(p);
  const struct scheduler_limits limits = limits_of(p);
  return scheduler_new(&hooks, &limits);
}

/* What computes and what wakes; false without memory or threads. */
static bool make_parts(struct predictor *p) {
  p->scheduler = new_scheduler(p);
  p->workers = !p->scheduler ? NULL
                             : workers_new(p->loop, p->config->workers, predictor_batches_budget(p),
                                           on_settled, p);
  p->compute.workers = p->workers;
  p->timer = wake_timer_new(p->loop, p);
  p->deadline_timer = wake_timer_new(p->loop, p);
  return next_turn_init(&p->next_turn, p->loop, on_turn, p) && p->timer && p->deadline_timer &&
         p->workers;
}

struct predictor *predictor_new_with(const struct evaluator *evaluator, uv_loop_t *loop,
                                     const struct config *config, struct registry *registry,
                                     struct metrics *metrics) {
  struct predictor *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  *p = (struct predictor){.loop = loop,
                          .config = config,
                          .registry = registry,
                          .metrics = metrics,
                          .compute = {.evaluator = evaluator,
                                      .graphs = &p->graphs,
                                      .exact_filters = config->exact_filters,
                                      .profiles = config->profile}};
  use_ledger(p, registry_ledger(registry));
  graph_store_init(&p->graphs, evaluator, predictor_batches_budget(p));
  p->dispersion = dispersion_data_new(config->models_dir ? config->models_dir : "");
  p->early_deadline_ns = SCHEDULER_NEVER;
  job_list_init(&p->loading);
  job_list_init(&p->due);
  job_list_init(&p->ready);
  if (!make_parts(p)) {
    predictor_free(p);
    return NULL;
  }
  predictor_note_memory(p);
  return p;
}

struct predictor *predictor_new(uv_loop_t *loop, const struct config *config,
                                struct registry *registry, struct metrics *metrics) {
  return predictor_new_with(&evaluator_core, loop, config, registry, metrics);
}

void predictor_free(struct predictor *p) {
  if (!p)
    return;
  ledger_forget(p->ledger, &p->waiter);
  workers_free(p->workers);
  scheduler_free(p->scheduler);
  profile_totals_fini(&p->profile);
  dispersion_data_drop(p->dispersion);
  wake_timer_free(p->timer);
  wake_timer_free(p->deadline_timer);
  next_turn_fini(&p->next_turn);
  free(p);
}
