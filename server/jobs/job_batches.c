#include "server/jobs/job_batches.h"

#include "irrep/conventions.h"
#include "server/jobs/admission.h"
#include "server/jobs/job_deadline.h"
#include "server/jobs/job_delivery.h"
#include "server/jobs/job_life.h"
#include "server/jobs/predictor_queue.h"
#include "server/models/cost.h"

#include <stdio.h>
#include <stdlib.h>

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

/* Of the steps that its worker has taken by itself. */
static void count_earlier(const struct prediction *prediction) {
  const struct predict_job *job = prediction->job;
  const size_t n = prediction->n_earlier, n_atoms = prediction->entry.plan.n_atoms;
  if (n > 0)
    metrics_structures_earlier(job->predictor->metrics, job->served->name, n, n * n_atoms,
                               prediction->n_earlier_edges);
}

static void end_prediction(struct prediction *prediction, const struct batch *batch) {
  struct predict_job *job = prediction->job;
  job->n_running--;
  count_earlier(prediction);
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
                (double)(batch->evaluate_ns + batch->committee_ns) * 1e-9 /
                    (double)batch->n_rounds);
  metrics_rounds(p->metrics, name, batch->n_rounds - 1, batch->n_entries, batch->sum.n_atoms,
                 (double)batch->evaluate_ns * 1e-9 / (double)batch->n_rounds,
                 (double)batch->plan_ns * 1e-9);
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

struct scheduler_hooks job_batches_hooks(struct predictor *p) {
  return (struct scheduler_hooks){.context = p,
                                  .now_ns = hook_now,
                                  .bytes = hook_bytes,
                                  .idle_workers = hook_idle,
                                  .free_bytes = hook_free,
                                  .start = hook_start,
                                  .expired = hook_expired};
}

/* Into the queue */

/* What the members of a committee will take; one whose rates are not known yet, as long as the
 * job's own model. */
static double members_seconds(const struct predict_job *job, const struct irrep_plan *plan) {
  const double own = cost_expected(&job->loaded->rates[job->precision], plan);
  double seconds = 0.0;
  for (size_t i = 0; i < job->committee.n; i++) {
    const struct committee_model *member = &job->committee.members[i];
    const double known = cost_seconds(&member->loaded->rates[member->precision], plan);
    seconds += known > 0 ? known : own;
  }
  return seconds;
}

void job_enqueue(struct predict_job *job) {
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
    prediction->entry.extra_seconds = members_seconds(job, &prediction->entry.plan);
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
