#include "server/predict.h"

#include "server/predict_job.h"
#include "server/scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Larger bodies are read, and requests of more atoms planned, on a worker. */
#define READ_ON_LOOP_BYTES ((size_t)256 << 10)
#define PLAN_ON_LOOP_ATOMS 512

#define NANOSECONDS_PER_MS UINT64_C(1000000)

struct predictor {
  uv_loop_t *loop;
  const struct config *config;
  struct registry *registry;
  struct metrics *metrics;
  const struct evaluator *evaluator;
  struct scheduler *scheduler;
  struct workers *workers;
  uv_timer_t *timer; /* on the heap: libuv keeps them until the loop has run again */
  uv_idle_t *idle;
  struct predict_job *ready, **ready_end; /* to be delivered */
  size_t n_jobs;
  struct bounds_cache bounds;
  bool draining;
  void (*drained)(void *context);
  void *drained_context;
};

static void on_idle(uv_idle_t *idle);

/* Replies are delivered from the loop, never from inside a call. */
static void deliver_soon(struct predictor *p) {
  uv_idle_start(p->idle, on_idle);
}

static void update_gauges(struct predictor *p, const struct served_model *served) {
  struct scheduler_load load = scheduler_load(p->scheduler, served);
  metrics_queue(p->metrics, served->name, load.waiting_structures, load.waiting_atoms);
  metrics_memory(p->metrics, workers_planned(p->workers), p->config->memory_budget);
}

/* Ends of jobs */

static void leave_reading(struct predict_job *job) {
  if (job->counts_as_reading)
    scheduler_entered(job->predictor->scheduler);
  job->counts_as_reading = false;
}

static void free_job(struct predict_job *job) {
  struct predictor *p = job->predictor;
  leave_reading(job);
  scheduler_leave(p->scheduler);
  predict_job_free(job);
  p->n_jobs--;
  if (p->draining && p->n_jobs == 0)
    deliver_soon(p);
}

static void make_ready(struct predict_job *job) {
  struct predictor *p = job->predictor;
  job->is_ready = true;
  job->next = NULL;
  *p->ready_end = job;
  p->ready_end = &job->next;
  deliver_soon(p);
}

static void unlink_ready(struct predictor *p, struct predict_job *job) {
  struct predict_job **at = &p->ready;
  while (*at != job)
    at = &(*at)->next;
  *at = job->next;
  if (!*at)
    p->ready_end = at;
}

/* The job goes first: whoever hears of its end may begin the next, and is one client, not two. */
static void deliver_numbers(struct predictor *p, struct predict_job *job) {
  struct request request = job->request;
  const struct irrep_result *results = job->results;
  const struct problem *found = predict_job_problem(job);
  struct problem problem;
  if (found)
    problem = *found;
  predict_submitted submitted = job->submitted;
  void *context = job->context;
  unlink_ready(p, job);
  job->request = (struct request){0};
  free_job(job);
  submitted(context, found ? &problem : NULL, results);
  request_fini(&request);
}

static void deliver(struct predictor *p) {
  struct predict_job *job = p->ready;
  if (job->submitted) {
    deliver_numbers(p, job);
    return;
  }
  struct reply reply;
  predict_done done = job->done;
  void *context = job->context;
  unlink_ready(p, job);
  predict_job_reply(job, &reply);
  free_job(job);
  done(context, &reply);
}

/* Delivers what is ready now; what becomes ready meanwhile waits for the next turn of the loop. */
static void on_idle(uv_idle_t *idle) {
  struct predictor *p = idle->data;
  size_t n = 0;
  for (const struct predict_job *job = p->ready; job; job = job->next)
    n++;
  for (; n > 0 && p->ready; n--)
    deliver(p);
  if (!p->ready)
    uv_idle_stop(p->idle);
  if (p->draining && p->n_jobs == 0 && p->drained) {
    void (*drained)(void *) = p->drained;
    p->drained = NULL;
    drained(p->drained_context);
  }
}

/* Records a structure's outcome; with the last one the job is ready. */
static void settle(struct prediction *prediction, const char *outcome) {
  struct predict_job *job = prediction->job;
  bool ok = !job->request.items[prediction - job->predictions].problem;
  metrics_structure_done(job->predictor->metrics, job->served->name, outcome,
                         ok ? prediction->entry.plan.n_atoms : 0, ok ? prediction->n_edges : 0);
  if (--job->n_open == 0)
    make_ready(job);
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

static size_t hook_bytes(void *context, const struct served_model *served,
                         enum irrep_precision precision, const struct irrep_plan *plan) {
  const struct predictor *p = context;
  return p->evaluator->bytes(served->model, precision, plan);
}

static size_t hook_idle(void *context) {
  return workers_idle(((const struct predictor *)context)->workers);
}

static size_t hook_free(void *context) {
  return workers_available(((const struct predictor *)context)->workers);
}

static void hook_expired(void *context, struct entry *entry) {
  struct predictor *p = context;
  struct prediction *prediction = entry->owner;
  struct predict_job *job = prediction->job;
  size_t index = (size_t)(prediction - job->predictions);
  struct problem *problem = request_fault(&job->request, index);
  if (problem)
    problem_of_kind(problem, PROBLEM_DEADLINE_PASSED, "#/deadline_ms",
                    "the deadline of %.15g ms passed before the computation began",
                    job->request.deadline_ms);
  else
    predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the answer");
  if (job->n_open == 1)
    metrics_request_cancelled(p->metrics, "deadline");
  settle(prediction, "expired");
  update_gauges(p, job->served);
}

static void run_batch(struct work *work, void *arena, size_t bytes) {
  struct batch *batch = (struct batch *)work;
  const struct prediction *first = batch->entries[0]->owner;
  compute_batch(batch, first->job->evaluator, arena, bytes);
}

static void end_prediction(struct prediction *prediction, const struct batch *batch) {
  struct predict_job *job = prediction->job;
  struct metrics *metrics = job->predictor->metrics;
  job->n_running--;
  if (atomic_load(&job->gone)) {
    metrics_structure_done(metrics, job->served->name, "cancelled", 0, 0);
    if (job->n_running == 0)
      free_job(job);
    return;
  }
  metrics_queue_wait(metrics, job->served->name,
                     (double)(batch->began_ns - prediction->entry.arrived_ns) * 1e-9);
  predict_job_time(job, prediction, batch);
  if (prediction->error.status == IRREP_OK)
    settle(prediction, "ok");
  else
    settle_with_error(prediction, &prediction->error);
}

static void end_batch(struct work *work) {
  struct batch *batch = (struct batch *)work;
  const struct prediction *first = batch->entries[0]->owner;
  struct predictor *p = first->job->predictor;
  const char *name = batch->model->name;
  scheduler_finished(p->scheduler, batch);
  metrics_batch(p->metrics, name, batch->reason, batch->n_entries, batch->sum.n_atoms,
                (double)batch->evaluate_ns * 1e-9);
  metrics_stage(p->metrics, name, "encode", (double)batch->encode_ns * 1e-9);
  for (size_t i = 0; i < batch->n_entries; i++)
    end_prediction(batch->entries[i]->owner, batch);
  update_gauges(p, batch->model);
  free(batch);
}

static void hook_start(void *context, struct batch *batch) {
  struct predictor *p = context;
  for (size_t i = 0; i < batch->n_entries; i++)
    ((struct prediction *)batch->entries[i]->owner)->job->n_running++;
  batch->work.run = run_batch;
  batch->work.done = end_batch;
  workers_start(p->workers, &batch->work);
  update_gauges(p, batch->model);
}

/* Running */

static void on_timer(uv_timer_t *timer);

static void run_scheduler(struct predictor *p) {
  scheduler_run(p->scheduler);
  uint64_t wake_ns = scheduler_wake_ns(p->scheduler), now_ns = uv_hrtime();
  if (wake_ns == SCHEDULER_NEVER) {
    uv_timer_stop(p->timer);
    return;
  }
  uint64_t ms = wake_ns > now_ns ? (wake_ns - now_ns - 1) / NANOSECONDS_PER_MS + 1 : 1;
  uv_update_time(p->loop);
  uv_timer_start(p->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer) {
  run_scheduler(timer->data);
}

static void on_settled(void *context) {
  run_scheduler(context);
}

/* Hands the structures that were planned to the scheduler. */
static void schedule(struct predict_job *job) {
  struct predictor *p = job->predictor;
  const char *name = job->served->name;
  size_t n_good = 0;
  leave_reading(job);
  metrics_stage(p->metrics, name, "read", (double)job->read_ns * 1e-9);
  metrics_stage(p->metrics, name, "plan", (double)job->plan_ns * 1e-9);
  for (size_t i = 0; !job->failed && i < job->request.n_items; i++)
    n_good += !job->request.items[i].problem;
  if (n_good > p->config->max_queue)
    predict_job_fail(job, PROBLEM_TOO_MANY_STRUCTURES, "more structures than the queue holds");
  else if (!scheduler_has_room(p->scheduler, n_good))
    predict_job_fail(job, PROBLEM_QUEUE_FULL, "too many structures are waiting; try again later");
  if (job->failed) {
    make_ready(job);
    return;
  }
  job->n_open = job->request.n_items + 1; /* one more, so that it is not ready before the end */
  for (size_t i = 0; i < job->request.n_items; i++) {
    struct prediction *prediction = &job->predictions[i];
    struct irrep_error error;
    if (job->request.items[i].problem)
      settle(prediction, "error");
    else if (scheduler_add(p->scheduler, job->served, job->precision, &prediction->entry) !=
             SCHEDULER_ADDED) {
      irrep_fail(&error, IRREP_NO_MEMORY, "", "no memory to queue the structure");
      settle_with_error(prediction, &error);
    }
  }
  if (--job->n_open == 0)
    make_ready(job);
  update_gauges(p, job->served);
}

/* Reading */

static void read_on_worker(struct work *work, void *arena, size_t bytes) {
  struct predict_job *job = (struct predict_job *)work;
  (void)arena;
  (void)bytes;
  if (job->body && !atomic_load(&job->gone))
    predict_job_read(job, job->body, job->body_size);
  if (!job->failed && !atomic_load(&job->gone))
    predict_job_plan(job);
}

/* The workers' settled hook runs the scheduler afterwards. */
static void end_reading(struct work *work) {
  struct predict_job *job = (struct predict_job *)work;
  job->on_worker = false;
  if (atomic_load(&job->gone))
    free_job(job);
  else
    schedule(job);
}

static void continue_on_worker(struct predict_job *job) {
  job->on_worker = true;
  job->work.run = read_on_worker;
  job->work.done = end_reading;
  workers_queue(job->predictor->workers, &job->work);
}

static bool find_bounds(struct predict_job *job) {
  struct predictor *p = job->predictor;
  if (!bounds_find(&p->bounds, p->evaluator, job->served->model, p->config->memory_budget,
                   job->bounds))
    predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the request");
  return !job->failed;
}

/* Plans a job that has been read, unless it has failed, here or on a worker. */
static void plan(struct predict_job *job) {
  if (!job->failed && predict_job_atoms(job) > PLAN_ON_LOOP_ATOMS) {
    continue_on_worker(job);
    return;
  }
  if (!job->failed)
    predict_job_plan(job);
  schedule(job);
  run_scheduler(job->predictor);
}

static void read_body(struct predict_job *job, const char *body, size_t size) {
  if (!find_bounds(job)) {
    make_ready(job);
    return;
  }
  if (size > READ_ON_LOOP_BYTES) {
    job->body = malloc(size);
    job->body_size = size;
    if (job->body) {
      memcpy(job->body, body, size);
      continue_on_worker(job);
    } else {
      predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the body");
      make_ready(job);
    }
    return;
  }
  predict_job_read(job, body, size);
  plan(job);
}

/* Whether the model can take a request; otherwise the job has failed. */
static bool check_model(struct predict_job *job, const char *model) {
  const struct served_model *served = job->served;
  if (job->predictor->draining)
    predict_job_fail(job, PROBLEM_DRAINING, "the server finishes what it has accepted");
  else if (!served)
    problem_of_kind(&job->problem, PROBLEM_UNKNOWN_MODEL, "", "there is no model \"%.64s\"", model);
  else if (served->state == MODEL_LOADING)
    problem_of_kind(&job->problem, PROBLEM_MODEL_LOADING, "", "the model %s is loading",
                    served->name);
  else if (served->state != MODEL_READY)
    problem_of_kind(&job->problem, PROBLEM_MODEL_NOT_READY, "", "the model %s is %s", served->name,
                    model_state_name(served->state));
  job->failed = job->problem.status != 0;
  return !job->failed;
}

/* The calls of predict.h */

static struct predict_job *begin_job(struct predictor *p, const char *model, const char *request_id,
                                     void *context) {
  struct predict_job *job = predict_job_new(request_id);
  if (!job)
    return NULL;
  job->predictor = p;
  job->context = context;
  job->served = registry_find(p->registry, model);
  job->evaluator = p->evaluator;
  job->limits = (struct codec_limits){p->config->max_structures, p->config->max_atoms};
  job->begun_ns = uv_hrtime();
  job->counts_as_reading = true;
  p->n_jobs++;
  scheduler_enter(p->scheduler);
  return job;
}

struct predict_job *predict_begin(struct predictor *p, const char *model, const char *body,
                                  size_t size, const char *request_id, predict_done done,
                                  void *context) {
  struct predict_job *job = begin_job(p, model, request_id, context);
  if (!job)
    return NULL;
  job->done = done;
  if (check_model(job, model)) {
    read_body(job, body, size);
  } else {
    leave_reading(job);
    make_ready(job);
  }
  return job;
}

struct predict_job *predict_submit(struct predictor *p, const char *model, struct request *request,
                                   predict_submitted submitted, void *context) {
  struct predict_job *job = begin_job(p, model, "", context);
  if (!job) {
    request_fini(request);
    return NULL;
  }
  job->submitted = submitted;
  if (check_model(job, model) && find_bounds(job))
    predict_job_take(job, request);
  request_fini(request);
  if (job->failed) {
    leave_reading(job);
    make_ready(job);
  } else {
    plan(job);
  }
  return job;
}

void predict_cancel(struct predict_job *job) {
  struct predictor *p = job->predictor;
  atomic_store(&job->gone, true);
  metrics_request_cancelled(p->metrics, "disconnect");
  if (job->is_ready)
    unlink_ready(p, job);
  leave_reading(job);
  if (job->on_worker)
    return;
  bool scheduled = !job->is_ready && job->predictions;
  for (size_t i = 0; scheduled && i < job->request.n_items; i++) {
    struct entry *entry = &job->predictions[i].entry;
    if (entry->state == ENTRY_WAITING)
      metrics_structure_done(p->metrics, job->served->name, "cancelled", 0, 0);
    if (entry->state != ENTRY_IDLE)
      scheduler_remove(p->scheduler, entry);
  }
  if (scheduled)
    update_gauges(p, job->served);
  if (job->n_running == 0)
    free_job(job);
}

struct predict_load predictor_load(const struct predictor *p) {
  struct scheduler_load load = scheduler_load(p->scheduler, NULL);
  return (struct predict_load){.queued_structures = load.waiting_structures,
                               .queued_atoms = load.waiting_atoms,
                               .batches_running = load.batches_running,
                               .planned_bytes = workers_planned(p->workers)};
}

void predictor_drain(struct predictor *p, void (*idle)(void *context), void *context) {
  p->draining = true;
  p->drained = idle;
  p->drained_context = context;
  metrics_draining(p->metrics, 1);
  scheduler_drain(p->scheduler);
  run_scheduler(p);
  if (p->n_jobs == 0)
    deliver_soon(p);
}

/* Life */

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
  const struct scheduler_limits limits = {.max_batch_bytes = p->config->max_batch_bytes,
                                          .max_queue = p->config->max_queue,
                                          .max_delay_ns = p->config->max_delay_us * 1000};
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
                          .evaluator = evaluator,
                          .ready_end = &p->ready};
  p->timer = calloc(1, sizeof *p->timer);
  p->idle = calloc(1, sizeof *p->idle);
  p->scheduler = new_scheduler(p);
  if (p->timer && p->idle && p->scheduler)
    p->workers = workers_new(loop, config->workers, config->memory_budget, on_settled, p);
  if (!p->timer || !p->idle || !p->workers) {
    scheduler_free(p->scheduler);
    free(p->timer);
    free(p->idle);
    free(p);
    return NULL;
  }
  uv_timer_init(loop, p->timer);
  uv_idle_init(loop, p->idle);
  p->timer->data = p;
  p->idle->data = p;
  metrics_memory(metrics, 0, config->memory_budget);
  return p;
}

struct predictor *predictor_new(uv_loop_t *loop, const struct config *config,
                                struct registry *registry, struct metrics *metrics) {
  return predictor_new_with(&evaluator_core, loop, config, registry, metrics);
}

void predictor_free(struct predictor *p) {
  if (!p)
    return;
  workers_free(p->workers);
  scheduler_free(p->scheduler);
  uv_close((uv_handle_t *)p->timer, free_handle);
  uv_close((uv_handle_t *)p->idle, free_handle);
  bounds_cache_fini(&p->bounds);
  free(p);
}
