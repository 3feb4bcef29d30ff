#include "server/jobs/predict.h"

#include "server/codec/codec_tree.h"
#include "server/jobs/predictor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Larger bodies are read, and requests of more edges planned, on a worker. */
#define READ_ON_LOOP_BYTES ((size_t)256 << 10)
#define PLAN_ON_LOOP_EDGES ((size_t)64 << 10)

/* What a worker plans before others have their turn: some 0.2 s. */
#define PLAN_EDGES ((size_t)8 << 20)

/* Lists of jobs */

static void append(struct predict_job ***list_end, struct predict_job *job) {
  job->next = NULL;
  **list_end = job;
  *list_end = &job->next;
}

static void take_out(struct predict_job **list, struct predict_job ***list_end,
                     struct predict_job *job) {
  while (*list != job)
    list = &(*list)->next;
  *list = job->next;
  if (!*list)
    *list_end = list;
}

/* Ends of jobs */

static void deliver_soon(struct predictor *p) {
  uv_idle_start(p->idle, predict_deliver);
}

void predict_leave_reading(struct predict_job *job) {
  if (job->counts_as_reading)
    scheduler_entered(job->predictor->scheduler);
  job->counts_as_reading = false;
}

static void drop_body(struct predict_job *job) {
  if (job->body)
    job->predictor->held_bytes -= job->body_size;
  free(job->body);
  job->body = NULL;
}

void predict_free_job(struct predict_job *job) {
  struct predictor *p = job->predictor;
  predict_leave_reading(job);
  registry_leave(&job->waiter);
  if (job->loaded) {
    scheduler_leave(p->scheduler);
    registry_release(job->loaded);
  }
  if (job->client)
    clients_leave(&p->clients, job->client);
  drop_body(job);
  p->held_bytes -= job->held_bytes;
  predict_job_free(job);
  p->n_jobs--;
  if (p->draining && p->n_jobs == 0)
    deliver_soon(p);
}

static void write_on_worker(struct work *work, void *arena, size_t bytes) {
  struct predict_job *job = (struct predict_job *)work;
  (void)arena;
  (void)bytes;
  if (!atomic_load(&job->gone))
    predict_job_reply(job, &job->reply);
}

static void end_writing(struct work *work) {
  struct predict_job *job = (struct predict_job *)work;
  job->on_worker = false;
  if (atomic_load(&job->gone))
    predict_free_job(job);
  else
    predict_make_ready(job);
}

static void start_on_worker(struct predict_job *job,
                            void (*run)(struct work *work, void *arena, size_t bytes),
                            void (*done)(struct work *work)) {
  job->on_worker = true;
  job->work.run = run;
  job->work.done = done;
  workers_queue(job->predictor->workers, &job->work);
}

void predict_make_ready(struct predict_job *job) {
  struct predictor *p = job->predictor;
  predict_leave_reading(job);
  if (!job->is_written && predict_job_writes_long(job)) {
    job->is_written = true;
    start_on_worker(job, write_on_worker, end_writing);
    return;
  }
  job->is_ready = true;
  append(&p->ready_end, job);
  deliver_soon(p);
}

static void unlink_ready(struct predictor *p, struct predict_job *job) {
  take_out(&p->ready, &p->ready_end, job);
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
  predict_free_job(job);
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
  if (!job->is_written)
    predict_job_reply(job, &job->reply);
  reply = job->reply;
  job->reply.body = NULL;
  predict_free_job(job);
  done(context, &reply);
}

/* Delivers what is ready now; what becomes ready meanwhile waits for the next turn of the loop. */
void predict_deliver(uv_idle_t *idle) {
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

/* Reading and planning */

static void end_planning(struct predict_job *job) {
  job->queue_seconds = predictor_backlog_seconds(job->predictor);
  if (job->estimates && !job->failed)
    predict_make_ready(job);
  else
    predictor_schedule(job);
}

static void read_on_worker(struct work *work, void *arena, size_t bytes) {
  struct predict_job *job = (struct predict_job *)work;
  (void)arena;
  (void)bytes;
  if (job->body && !atomic_load(&job->gone))
    predict_job_read(job, job->body, job->body_size);
  const size_t most = job->bounds[0].max_edges > job->bounds[1].max_edges
                          ? job->bounds[0].max_edges
                          : job->bounds[1].max_edges;
  if (!job->failed && !atomic_load(&job->gone))
    job->is_planned =
        predict_job_plan(job, most > PLAN_EDGES ? most : PLAN_EDGES); /* one at least */
}

static void read_next(struct predictor *p);

static void read_soon(struct predict_job *job) {
  job->is_unread = true;
  append(&job->predictor->unread_end, job);
  read_next(job->predictor);
}

/* The workers' settled hook runs the scheduler afterwards. */
static void end_reading(struct work *work) {
  struct predict_job *job = (struct predict_job *)work;
  struct predictor *p = job->predictor;
  job->on_worker = false;
  p->n_reading--;
  p->tree_bytes -= job->tree_bytes;
  job->tree_bytes = 0;
  drop_body(job);
  if (atomic_load(&job->gone)) {
    predict_free_job(job);
  } else if (job->failed || job->is_planned) {
    end_planning(job);
  } else {
    predictor_run(p); /* a batch that waits takes the worker first */
    read_soon(job);
  }
  read_next(p);
}

/* Reads bodies and plans on workers, in their order: on half of them, and as many bodies at a time
 * as their trees may take memory. */
static void read_next(struct predictor *p) {
  const size_t most = p->config->max_receiving_bytes;
  const size_t n_most = (workers_count(p->workers) + 1) / 2;
  for (struct predict_job *job; (job = p->unread) && p->n_reading < n_most;) {
    const size_t json_size = !job->body                          ? 0
                             : job->body_format == FORMAT_JSON   ? job->body_size
                             : job->body_format == FORMAT_KSERVE ? job->json_size
                                                                 : 0;
    const size_t bytes = json_size > 0 ? codec_tree_bytes(json_size) : 0;
    if (most > 0 && bytes > 0 && p->tree_bytes > 0 &&
        (p->tree_bytes > most || bytes > most - p->tree_bytes))
      return;
    take_out(&p->unread, &p->unread_end, job);
    job->is_unread = false;
    job->tree_bytes = bytes;
    p->tree_bytes += bytes;
    p->n_reading++;
    start_on_worker(job, read_on_worker, end_reading);
  }
}

/* Plans a job that has been read, unless it has failed, here or on a worker. */
static void plan(struct predict_job *job) {
  if (!job->failed &&
      (!predict_job_plans_quickly(job) || !predict_job_plan(job, PLAN_ON_LOOP_EDGES))) {
    read_soon(job);
    return;
  }
  end_planning(job);
  predictor_run(job->predictor);
}

/* Keeps a copy of the body until it can be read; otherwise the job has failed. */
static bool keep_body(struct predict_job *job, const char *body, size_t size) {
  struct predictor *p = job->predictor;
  job->body = predictor_may_hold(p, size) ? malloc(size + 1) : NULL;
  if (!job->body) {
    predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the body");
    return false;
  }
  memcpy(job->body, body, size);
  job->body_size = size;
  p->held_bytes += size;
  return true;
}

/* The job holds its model from now on, and counts among those that others may wait for. */
static void hold(struct predict_job *job, struct loaded_model *loaded) {
  struct predictor *p = job->predictor;
  const struct bounds *bounds =
      bounds_find(&loaded->bounds, p->compute.evaluator, loaded->model, p->config->memory_budget);
  memcpy(job->bounds, bounds, sizeof job->bounds);
  job->loaded = loaded;
  job->counts_as_reading = true;
  scheduler_enter(p->scheduler);
}

static void read_kept(struct predict_job *job) {
  if (job->body && job->body_size > READ_ON_LOOP_BYTES) {
    read_soon(job);
    return;
  }
  if (job->body)
    predict_job_read(job, job->body, job->body_size);
  drop_body(job);
  plan(job);
}

static void on_loaded(struct load_waiter *waiter, struct loaded_model *loaded) {
  struct predict_job *job =
      (struct predict_job *)(void *)((char *)waiter - offsetof(struct predict_job, waiter));
  if (loaded) {
    hold(job, loaded);
    read_kept(job);
    return;
  }
  const struct served_model *served = job->served;
  job->failed = true;
  if (served->state == MODEL_FAILED)
    problem_of_kind(&job->problem, PROBLEM_MODEL_NOT_READY, "",
                    "the model %s could not be loaded: %.200s", served->name, served->error.detail);
  else
    problem_of_error(&job->problem, &served->error, "");
  predict_make_ready(job);
}

/* Finds the model of a job, loaded or to be waited for; otherwise the job has failed. */
static bool find_model(struct predict_job *job, const char *model) {
  struct predictor *p = job->predictor;
  job->served = registry_find(p->registry, model);
  const struct served_model *served = job->served;
  if (p->draining)
    predict_job_fail(job, PROBLEM_DRAINING, "the server finishes what it has accepted");
  else if (!served)
    problem_of_kind(&job->problem, PROBLEM_UNKNOWN_MODEL, "", "there is no model \"%.64s\"", model);
  else if (served->state == MODEL_FAILED)
    problem_of_kind(&job->problem, PROBLEM_MODEL_NOT_READY, "",
                    "the model %s could not be loaded: %.200s", served->name, served->error.detail);
  job->failed = job->problem.status != 0;
  if (job->failed)
    return false;
  struct loaded_model *loaded = registry_hold(job->served);
  if (loaded)
    hold(job, loaded);
  return true;
}

static void wait_for_model(struct predict_job *job) {
  job->waiter.loaded = on_loaded;
  registry_wait(job->served, &job->waiter);
}

/* The calls of predict.h */

static struct predict_job *begin_job(struct predictor *p, const char *request_id,
                                     const char *client, void *context) {
  struct predict_job *job = predict_job_new(request_id);
  struct client *entered = job && client ? clients_enter(&p->clients, client) : NULL;
  if (!job || (client && !entered)) {
    if (job)
      predict_job_free(job);
    return NULL;
  }
  job->client = entered;
  job->predictor = p;
  job->context = context;
  job->compute = &p->compute;
  job->limits = (struct codec_limits){p->config->max_structures, p->config->max_atoms};
  job->begun_ns = uv_hrtime();
  p->n_jobs++;
  return job;
}

struct predict_job *predict_call(struct predictor *p, const struct predict_call *call) {
  struct predict_job *job = begin_job(p, call->request_id, call->client, call->context);
  if (!job)
    return NULL;
  job->done = call->done;
  job->estimates = call->estimates;
  job->body_format = call->body_format;
  job->json_size = call->json_size;
  job->answer_format = call->estimates ? FORMAT_JSON : call->answer_format;
  const bool found = find_model(job, call->model);
  const bool at_once = found && job->loaded && call->size <= READ_ON_LOOP_BYTES;
  if (at_once) {
    predict_job_read(job, call->body, call->size);
    plan(job);
  } else if (!found || !keep_body(job, call->body, call->size)) {
    predict_make_ready(job);
  } else if (job->loaded) {
    read_soon(job);
  } else {
    wait_for_model(job);
  }
  return job;
}

struct predict_job *predict_submit(struct predictor *p, const char *model, struct request *request,
                                   predict_submitted submitted, void *context) {
  struct predict_job *job = begin_job(p, "", NULL, context);
  if (!job) {
    request_fini(request);
    return NULL;
  }
  job->submitted = submitted;
  if (find_model(job, model))
    predict_job_take(job, request);
  request_fini(request);
  if (job->failed)
    predict_make_ready(job);
  else if (job->loaded)
    plan(job);
  else
    wait_for_model(job);
  return job;
}

void predict_cancel(struct predict_job *job) {
  struct predictor *p = job->predictor;
  atomic_store(&job->gone, true);
  metrics_request_cancelled(p->metrics, "disconnect");
  if (job->is_ready)
    unlink_ready(p, job);
  if (job->is_unread)
    take_out(&p->unread, &p->unread_end, job);
  predict_leave_reading(job);
  if (job->on_worker)
    return;
  bool scheduled = !job->is_ready && job->predictions;
  for (size_t i = 0; scheduled && i < job->request.n_items; i++) {
    struct entry *entry = &job->predictions[i].entry;
    if (entry->state == ENTRY_WAITING) {
      metrics_structure_done(p->metrics, job->served->name, "cancelled", 0, 0);
      predictor_left_queue(job);
    }
    if (entry->state != ENTRY_IDLE)
      scheduler_remove(p->scheduler, entry);
  }
  if (scheduled)
    predictor_update_gauges(p, job->served);
  if (job->n_running == 0)
    predict_free_job(job);
}
