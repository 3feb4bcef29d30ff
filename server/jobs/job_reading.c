#include "server/jobs/job_reading.h"

#include "server/jobs/admission.h"
#include "server/jobs/job_batches.h"
#include "server/jobs/job_deadline.h"
#include "server/jobs/job_life.h"
#include "server/jobs/job_model.h"
#include "server/jobs/predictor_queue.h"

/* Larger bodies are read, and requests of more edges planned, on a worker. */
#define READ_ON_LOOP_BYTES ((size_t)256 << 10)
#define PLAN_ON_LOOP_EDGES ((size_t)64 << 10)

/* What a worker plans before others have their turn, at some 20 ns an edge, and whatever one
 * structure takes beyond that. */
#define TURN_EDGES ((size_t)256 << 10)

/* The structures are planned, or the job has failed. */
static void end_planning(struct predict_job *job) {
  if (!predict_job_failed(job))
    admission_let_widen(job);
  job->queue_seconds = predictor_backlog_seconds(job->predictor);
  if (job->kind == JOB_OF_ESTIMATE && !predict_job_failed(job))
    job_happens(job, JOB_EVENT_FINISH);
  else
    job_enqueue(job);
}

/* The model of a job that waits for it */
static void on_loaded(struct load_waiter *waiter, struct loaded_model *loaded) {
  struct predict_job *job = job_model_loaded(waiter, loaded);
  if (job)
    job_go_on(job);
}

/* On workers */

static void read_and_plan(struct work *work, void *arena, size_t bytes) {
  struct predict_job *job = predict_job_of(work);
  (void)arena;
  (void)bytes;
  if (job->body && !atomic_load(&job->cancelled))
    predict_job_read(job);
  if (job_model_is_there(job) && !predict_job_failed(job) && !atomic_load(&job->cancelled))
    predict_job_plan(job, TURN_EDGES, true);
}

/* What has been read is held from now on, in place of the body and of what it might have been. */
static void hold_request(struct predict_job *job) {
  job_drop_body(job);
  job_hold_bytes(job, predict_job_failed(job) ? 0 : predict_job_bytes(job));
}

static void take_next(struct predictor *p);

/* Structures that are planned in turns must have room in the queue before. */
static void judge_planning(struct predict_job *job) {
  size_t n = 0;
  for (size_t i = 0; i < job->request.n_items; i++)
    n += !job->request.items[i].problem;
  if (job->kind != JOB_OF_ESTIMATE && !job->is_planned_in_turns)
    admission_judge(job, n);
}

/* A worker has brought back a job that it has read, or planned in part. */
static void go_on_in_turns(struct predict_job *job) {
  const bool is_there = predict_job_failed(job) || job->predictions || job_model_hold_all(job);
  if (!predict_job_failed(job) && !job->predictions && is_there) {
    judge_planning(job);
    job_deadline_judge(job, uv_hrtime());
  }
  if (predict_job_failed(job) || job->predictions)
    end_planning(job);
  else if (!is_there)
    job_model_await(job, on_loaded);
  else if (job_happens(job, JOB_EVENT_PLAN_LATER))
    job_deadline_watch(job);
}

/* A batch that waits takes the worker before the next turn. */
static void end_turn(struct work *work) {
  struct predict_job *job = predict_job_of(work);
  struct predictor *p = job->predictor;
  p->n_reading--;
  hold_request(job);
  if (!job_is_let_go(job))
    go_on_in_turns(job);
  predictor_run(p);
  take_next(p);
}

static bool waits_for_room(const struct predict_job *job) {
  return job->state == JOB_READ_DUE && !job->has_room;
}

static bool may_go_on(const struct predict_job *job) {
  return !waits_for_room(job);
}

static void refuse_late(struct predictor *p) {
  const uint64_t now_ns = uv_hrtime();
  for (struct predict_job *job = p->due.first, *next; job; job = next) {
    next = job->next;
    if (waits_for_room(job) && admission_is_late(job, now_ns))
      job_happens(job, JOB_EVENT_FAIL);
  }
}

/* Lets bodies that wait be read, as far as there is room, in the order of turns: nobody goes past
 * the one whose turn it is. */
static void let_in(struct predictor *p) {
  refuse_late(p);
  struct predict_job *job = turns_next(p, waits_for_room);
  while (job && admission_let_in(job))
    job = turns_next(p, waits_for_room);
  p->waiter.waits = job != NULL;
}

/* Gives turns to jobs on half of the workers. */
static void take_next(struct predictor *p) {
  const size_t n_most = (workers_count(p->workers) + 1) / 2;
  let_in(p);
  for (struct predict_job *job; p->n_reading < n_most && (job = turns_next(p, may_go_on));) {
    if (!job_happens(job, JOB_EVENT_TAKE))
      continue;
    turns_give(job);
    p->n_reading++;
    job_to_worker(job, read_and_plan, end_turn);
  }
}

void job_reading_go_on(struct predictor *p) {
  take_next(p);
}

static void put_off(struct predict_job *job, enum job_event event) {
  struct predictor *p = job->predictor;
  if (job_happens(job, event) && event == JOB_EVENT_PLAN_LATER)
    job_deadline_watch(job);
  take_next(p);
}

/* On the loop */

static bool job_reads_at_once(const struct predict_job *job) {
  return job->body_size <= READ_ON_LOOP_BYTES;
}

void job_read(struct predict_job *job) {
  if (job->kind != JOB_OF_NUMBERS && (!job_reads_at_once(job) || !admission_let_in(job))) {
    put_off(job, JOB_EVENT_READ_LATER);
    return;
  }
  if (job->kind != JOB_OF_NUMBERS)
    predict_job_read(job);
  hold_request(job);
  job_go_on(job);
}

void job_go_on(struct predict_job *job) {
  struct predictor *p = job->predictor;
  if (!predict_job_failed(job) && !job_model_hold_all(job)) {
    job_model_await(job, on_loaded);
    return;
  }
  if (!predict_job_failed(job) &&
      (!predict_job_plans_quickly(job) || !predict_job_plan(job, PLAN_ON_LOOP_EDGES, false))) {
    judge_planning(job);
    if (!predict_job_failed(job)) {
      put_off(job, JOB_EVENT_PLAN_LATER);
      return;
    }
  }
  end_planning(job);
  predictor_run(p);
}
