#include "server/jobs/predictor.h"

#include "irrep/conventions.h"
#include "server/jobs/admission.h"
#include "server/jobs/job_deadline.h"
#include "server/jobs/job_delivery.h"
#include "server/jobs/job_reading.h"

#include <stdio.h>
#include <stdlib.h>

#define NANOSECONDS_PER_MS UINT64_C(1000000)

/* Of the memory budget: the arenas of batches and the graphs of what waits. */
static size_t planned_bytes(const struct predictor *p) {
  return workers_planned(p->workers) + graph_store_bytes(&p->graphs);
}

/* What batches may take now. */
static size_t batches_budget(const struct predictor *p) {
  return ledger_part(p->ledger, LEDGER_BATCHES);
}

/* What batches take is not there for graphs. */
void predictor_count_batches(struct predictor *p) {
  const size_t arenas = workers_planned(p->workers), part = batches_budget(p);
  graph_store_set_room(&p->graphs, part > arenas ? part - arenas : 0);
  ledger_set(p->ledger, LEDGER_BATCHES, planned_bytes(p));
}

void predictor_note_memory(struct predictor *p) {
  predictor_count_batches(p);
  metrics_memory(p->metrics, p->ledger);
}

void predictor_update_gauges(struct predictor *p, const struct served_model *served) {
  struct scheduler_load load = scheduler_load(p->scheduler, served);
  metrics_queue(p->metrics, served->name, load.waiting.n_structures, load.waiting.n_atoms);
  predictor_note_memory(p);
}

/* Outcomes */

/* Records a structure's outcome; with the last one the job is ready. */
static void settle(struct prediction *prediction, const char *outcome) {
  struct predict_job *job = prediction->job;
  bool ok = !job->request.items[prediction - job->predictions].problem;
  graph_store_unlist(&job->predictor->graphs, prediction->graph);
  graph_store_drop(&job->predictor->graphs, prediction->graph);
  metrics_structure_done(job->predictor->metrics, job->served->name, outcome,
                         ok ? prediction->entry.plan.n_atoms : 0, ok ? prediction->n_edges : 0);
  if (--job->n_open == 0)
    job_finish(job);
}

/* Gives a structure that cannot be computed its problem. */
static void settle_with_error(struct prediction *prediction, const struct irrep_error *error) {
  struct predict_job *job = prediction->job;
  size_t index = (size_t)(prediction - job->predictions);
  struct problem *problem = request_fault(&job->request, index);
  char pointer[64];
  snprintf(pointer, sizeof pointer, "#/structures/%zu", index);
  if (problem)
    problem_of_error(problem, error, pointer);
  else
    predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the answer");
  settle(prediction, "error");
}

/* Hooks of the scheduler */

static uint64_t hook_now(void *context) {
  (void)context;
  return uv_hrtime();
}

static size_t hook_bytes(void *context, const struct loaded_model *loaded,
                         enum irrep_precision precision, const struct irrep_plan *plan) {
  const struct predictor *p = context;
  return p->compute.evaluator->bytes(loaded->model, precision, plan);
}

static size_t hook_idle(void *context) {
  return workers_idle(((const struct predictor *)context)->workers);
}

/* Graphs give way to batches, but for those that are being made. With nothing under way anything
 * may begin that was accepted, be it under a larger budget. */
static size_t hook_free(void *context) {
  struct predictor *p = context;
  workers_set_reserve(p->workers, graph_store_bytes(&p->graphs) - p->graphs.listed_bytes);
  return workers_idle(p->workers) > 0 && workers_planned(p->workers) == 0
             ? SIZE_MAX
             : workers_available(p->workers);
}

static void hook_expired(void *context, struct entry *entry) {
  struct predictor *p = context;
  struct prediction *prediction = entry->owner;
  struct predict_job *job = prediction->job;
  size_t index = (size_t)(prediction - job->predictions);
  struct problem *problem = request_fault(&job->request, index);
  if (problem)
    job_deadline_problem(job, problem);
  else
    predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the answer");
  if (job->n_open == 1)
    metrics_request_cancelled(p->metrics, "deadline");
  predictor_left_queue(job);
  settle(prediction, "expired");
  predictor_update_gauges(p, job->served);
}

static void run_batch(struct work *work, void *arena, size_t bytes) {
  struct batch *batch = (struct batch *)work;
  const struct prediction *first = batch->entries[0]->owner;
  compute_batch(batch, &first->job->predictor->compute, arena, bytes);
}

/* The batch of a structure whose job nobody waits for has ended. */
static void let_go(struct predict_job *job) {
  metrics_structure_done(job->predictor->metrics, job->served->name, "cancelled", 0, 0);
  if (job->n_running == 0)
    job_is_let_go(job);
}

static void end_prediction(struct prediction *prediction, const struct batch *batch) {
  struct predict_job *job = prediction->job;
  job->n_running--;
  if (prediction->answer)
    prediction->answer->batch = NULL; /* its address may become another's */
  if (job->state == JOB_ABANDONED) {
    let_go(job);
    return;
  }
  if (job->n_running == 0 && job->n_open > 1)
    job_happens(job, JOB_EVENT_WAIT);
  metrics_queue_wait(job->predictor->metrics, job->served->name,
                     (double)(batch->began_ns - prediction->entry.arrived_ns) * 1e-9);
  predict_job_time(job, prediction, batch);
  if (prediction->error.status == IRREP_OK)
    settle(prediction, "ok");
  else
    settle_with_error(prediction, &prediction->error);
}

static void take_profile(struct predictor *p, const char *name, struct batch *batch) {
  struct profile_item items[PROFILE_OPERATIONS_MAX] = {0};
  char stage[64];
  if (!batch->profile)
    return;
  const size_t n = profile_sum(batch->profile, items);
  profile_totals_add(&p->profile, name, items, n);
  for (size_t i = 0; i < n; i++) {
    snprintf(stage, sizeof stage, "%s%s", items[i].operation, items[i].adjoint ? " adjoint" : "");
    metrics_stage(p->metrics, name, stage, items[i].seconds);
  }
  profile_free(batch->profile);
}

static void end_batch(struct work *work) {
  struct batch *batch = (struct batch *)work;
  const struct prediction *first = batch->entries[0]->owner;
  struct predictor *p = first->job->predictor;
  const struct served_model *served = batch->model->served;
  const char *name = served->name;
  scheduler_finished(p->scheduler, batch);
  metrics_batch(p->metrics, name, batch->reason, batch->n_entries, batch->sum.n_atoms,
                (double)batch->evaluate_ns * 1e-9);
  metrics_stage(p->metrics, name, "encode", (double)batch->encode_ns * 1e-9);
  take_profile(p, name, batch);
  for (size_t i = 0; i < batch->n_entries; i++)
    end_prediction(batch->entries[i]->owner, batch); /* with the last one the model may go */
  predictor_update_gauges(p, served);
  free(batch);
}

/* Gives a batch a team of as many places as half of the memory that is left allows. */
static void plan_team(const struct predictor *p, struct batch *batch) {
  const size_t each = compute_helper_bytes(&p->compute, batch->model, batch->precision);
  const size_t available = workers_available(p->workers), taken = batch->work.arena_bytes;
  const size_t left = available > taken ? available - taken : 0;
  const size_t most = compute_helpers_max(&p->compute, batch->sum.n_atoms);
  const size_t fit = left < IRREP_ALIGNMENT || each == 0 ? 0 : (left - IRREP_ALIGNMENT) / 2 / each;
  batch->n_helpers = most < fit ? most : fit;
  if (batch->n_helpers > 0)
    batch->work.arena_bytes += batch->n_helpers * each + IRREP_ALIGNMENT;
}

/* The memory that a batch is about to take is taken from graphs, as far as they are in the way:
 * first from those of structures that wait, then from its own. */
static void make_room(struct predictor *p, struct batch *batch) {
  struct graph_store *graphs = &p->graphs;
  workers_set_reserve(p->workers, 0);
  const size_t available = workers_available(p->workers), bytes = batch->work.arena_bytes;
  const size_t left = available > bytes ? available - bytes : 0;
  for (size_t i = 0; i < batch->n_entries; i++)
    graph_store_unlist(graphs, ((struct prediction *)batch->entries[i]->owner)->graph);
  graph_store_shrink(graphs, left);
  for (size_t i = 0; i < batch->n_entries && graph_store_bytes(graphs) > left; i++)
    graph_store_drop(graphs, ((struct prediction *)batch->entries[i]->owner)->graph);
  const size_t kept = graph_store_bytes(graphs);
  workers_set_reserve(p->workers, kept < left ? kept : left); /* more may be planned by now */
}

static void hook_start(void *context, struct batch *batch) {
  struct predictor *p = context;
  make_room(p, batch);
  for (size_t i = 0; i < batch->n_entries; i++) {
    struct predict_job *job = ((struct prediction *)batch->entries[i]->owner)->job;
    job->n_running++;
    job_happens(job, JOB_EVENT_RUN);
    predict_job_give_text(job, batch->entries[i]->owner, batch);
    predictor_left_queue(job);
  }
  plan_team(p, batch);
  batch->work.run = run_batch;
  batch->work.done = end_batch;
  workers_start(p->workers, &batch->work);
  predictor_update_gauges(p, batch->model->served);
}

/* Running */

static void on_timer(uv_timer_t *timer);

void predict_hold(struct predictor *p) {
  p->n_holds++;
}

void predict_let_go(struct predictor *p) {
  if (--p->n_holds == 0 && p->run_is_due)
    predictor_run(p);
}

void predict_work(struct predictor *p, struct work *work) {
  workers_queue(p->workers, work);
}

void predictor_run(struct predictor *p) {
  p->run_is_due = p->n_holds > 0;
  if (p->run_is_due)
    return;
  scheduler_run(p->scheduler);
  const uint64_t now_ns = uv_hrtime(), batches_ns = scheduler_wake_ns(p->scheduler);
  const uint64_t early_ns = job_deadline_run(p, now_ns);
  const uint64_t wake_ns = batches_ns < early_ns ? batches_ns : early_ns;
  if (wake_ns == SCHEDULER_NEVER) {
    uv_timer_stop(p->timer);
    return;
  }
  uint64_t ms = wake_ns > now_ns ? (wake_ns - now_ns - 1) / NANOSECONDS_PER_MS + 1 : 1;
  uv_update_time(p->loop);
  uv_timer_start(p->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer) {
  predictor_run(timer->data);
}

static void on_settled(void *context) {
  predictor_run(context);
}

/* The queue */

void predictor_left_queue(struct predict_job *job) {
  if (job->client)
    job->client->n_waiting--;
}

double predictor_backlog_seconds(const struct predictor *p) {
  return scheduler_backlog_seconds(p->scheduler) / (double)workers_count(p->workers);
}

/* Hands the structures that were planned to the scheduler. */
void predictor_schedule(struct predict_job *job) {
  struct predictor *p = job->predictor;
  const char *name = job->served->name;
  size_t n_good = 0;
  metrics_stage(p->metrics, name, "read", (double)job->read_ns * 1e-9);
  metrics_stage(p->metrics, name, "plan", (double)job->plan_ns * 1e-9);
  for (size_t i = 0; !predict_job_failed(job) && i < job->request.n_items; i++)
    n_good += !job->request.items[i].problem;
  admission_judge(job, n_good);
  if (!job_happens(job, predict_job_failed(job) ? JOB_EVENT_FAIL : JOB_EVENT_ENQUEUE) ||
      job->state != JOB_QUEUED)
    return;
  job_hold_bytes(job, predict_job_bytes(job));
  job->n_open = job->request.n_items + 1; /* one more, so that it is not done before the end */
  for (size_t i = 0; i < job->request.n_items; i++) {
    struct prediction *prediction = &job->predictions[i];
    struct irrep_error error;
    if (job->request.items[i].problem)
      settle(prediction, "error");
    else if (scheduler_add(p->scheduler, job->loaded, job->precision, &prediction->entry) !=
             SCHEDULER_ADDED) {
      irrep_fail(&error, IRREP_NO_MEMORY, "", "no memory to queue the structure");
      settle_with_error(prediction, &error);
    } else {
      graph_store_list(&p->graphs, prediction->graph);
      if (job->client)
        job->client->n_waiting++;
    }
  }
  if (--job->n_open == 0)
    job_finish(job);
  predictor_update_gauges(p, job->served);
}

static struct scheduler_limits limits_of(const struct predictor *p) {
  const struct config *config = p->config;
  const size_t budget = batches_budget(p), batch = config->max_batch_bytes;
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
  stats.planned_bytes = planned_bytes(p);
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
  workers_set_budget(p->workers, batches_budget(p));
  graph_store_set_budget(&p->graphs, batches_budget(p));
}

void predictor_limits_changed(struct predictor *p) {
  ledger_set_limits(p->ledger, p->config->memory_budget, p->config->max_receiving_bytes);
  predictor_note_memory(p);
  predictor_run(p);
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
    predictor_deliver_soon(p);
}

/* Delivering */

static void on_idle(uv_idle_t *idle) {
  struct predictor *p = idle->data;
  jobs_deliver(p);
  if (p->waiter.waits)
    job_reading_go_on(p);
  if (!p->ready.first)
    uv_idle_stop(p->idle);
  if (p->draining && p->n_jobs == 0 && p->drained) {
    void (*drained)(void *) = p->drained;
    p->drained = NULL;
    drained(p->drained_context);
  }
}

void predictor_deliver_soon(struct predictor *p) {
  uv_idle_start(p->idle, on_idle);
}

/* Life */

static void on_freed(void *context) {
  predictor_deliver_soon(context);
}

/* NULL: one of its own. */
static void use_ledger(struct predictor *p, struct ledger *ledger) {
  ledger_init(&p->own, 0, p->config->memory_budget, p->config->max_receiving_bytes);
  p->ledger = ledger ? ledger : &p->own;
  p->waiter = (struct ledger_waiter){.freed = on_freed, .resized = on_resized, .context = p};
  ledger_listen(p->ledger, &p->waiter);
}

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

static struct scheduler *new_scheduler(struct predictor *p) {
  const struct scheduler_hooks hooks = {.context = p,
                                        .now_ns = hook_now,
                                        .bytes = hook_bytes,
                                        .idle_workers = hook_idle,
                                        .free_bytes = hook_free,
                                        .start = hook_start,
                                        .expired = hook_expired};
  const struct scheduler_limits limits = limits_of(p);
  return scheduler_new(&hooks, &limits);
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
  graph_store_init(&p->graphs, evaluator, batches_budget(p));
  dispersion_data_read(config->models_dir ? config->models_dir : "", &p->dispersion);
  p->compute.dispersion = p->dispersion.data;
  p->compute.without_dispersion = &p->dispersion.error;
  p->early_deadline_ns = SCHEDULER_NEVER;
  job_list_init(&p->loading);
  job_list_init(&p->due);
  job_list_init(&p->ready);
  p->timer = calloc(1, sizeof *p->timer);
  p->idle = calloc(1, sizeof *p->idle);
  p->scheduler = new_scheduler(p);
  if (p->timer && p->idle && p->scheduler)
    p->workers = workers_new(loop, config->workers, batches_budget(p), on_settled, p);
  if (!p->timer || !p->idle || !p->workers) {
    ledger_forget(p->ledger, &p->waiter);
    scheduler_free(p->scheduler);
    dispersion_data_fini(&p->dispersion);
    free(p->timer);
    free(p->idle);
    free(p);
    return NULL;
  }
  uv_timer_init(loop, p->timer);
  uv_idle_init(loop, p->idle);
  p->compute.workers = p->workers;
  p->timer->data = p;
  p->idle->data = p;
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
  dispersion_data_fini(&p->dispersion);
  uv_close((uv_handle_t *)p->timer, free_handle);
  uv_close((uv_handle_t *)p->idle, free_handle);
  free(p);
}
