#include "server/jobs/job_reading.h"

#include "server/jobs/admission.h"
#include "server/jobs/job_deadline.h"
#include "server/jobs/job_life.h"
#include "server/jobs/job_model.h"
#include "server/jobs/predictor.h"

/* Larger bodies are read, and requests of more edges planned, on a worker. */
#define READ_ON_LOOP_BYTES ((size_t)256 << 10)
#define PLAN_ON_LOOP_EDGES ((size_t)64 << 10)

/* What a worker plans before others have their turn, at some 20 ns an edge, and whatever one
 * structure takes beyond that. */
#define TURN_EDGES ((size_t)256 << 10)

/* The structures are planned, or the job has failed. */
static void end_planning(struct predict_job *job) {
  job->queue_seconds = predictor_backlog_seconds(job->predictor);
  if (job->kind == JOB_OF_ESTIMATE && !predict_job_failed(job))
    job_happens(job, JOB_EVENT_FINISH);
  else
    predictor_schedule(job);
}

/* On workers */

static void read_and_plan(struct work *work, void *arena, size_t bytes) {
  struct predict_job *job = predict_job_of(work);
  (void)arena;
  (void)bytes;
  if (job->body && !atomic_load(&job->cancelled))
    predict_job_read(job);
  if (job->loaded && !predict_job_failed(job) && !atomic_load(&job->cancelled))
    predict_job_plan(job, TURN_EDGES, true);
}

/* What has been read is held from now on, in place of the body. */
static void hold_request(struct predict_job *job) {
  job_drop_body(job);
  if (predict_job_failed(job))
    return;
  if (admission_may_hold(job, predict_job_bytes(job)))
    job_hold_bytes(job, predict_job_bytes(job));
  else
    predict_job_fail(job, PROBLEM_QUEUE_FULL, "requests of too many bytes wait; try again later");
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
  if (!predict_job_failed(job) && !job->predictions && job->loaded) {
    judge_planning(job);
    job_deadline_judge(job, uv_hrtime());
  }
  if (predict_job_failed(job) || job->predictions)
    end_planning(job);
  else if (!job->loaded)
    job_model_await(job);
  else if (job_happens(job, JOB_EVENT_PLAN_LATER))
    job_deadline_watch(job);
}

/* A batch that waits takes the worker before the next turn. */
static void end_turn(struct work *work) {
  struct predict_job *job = predict_job_of(work);
  struct predictor *p = job->predictor;
  p->n_reading--;
  p->reading_bytes -= job->reading_bytes;
  job->reading_bytes = 0;
  hold_request(job);
  if (!job_is_let_go(job))
    go_on_in_turns(job);
  predictor_run(p);
  take_next(p);
}

/* What the values of a body that waits to be read may take. */
static size_t reading_bytes_of(const struct predict_job *job) {
  const size_t json_size = !job->body                          ? 0
                           : job->body_format == FORMAT_JSON   ? job->body_size
                           : job->body_format == FORMAT_KSERVE ? job->json_size
                                                               : 0;
  return json_size > 0 ? codec_json_bytes(json_size, &job->limits) : 0;
}

/* Gives turns to jobs: on half of the workers, and to as many bodies at a time as there is memory
 * for what is read of them. */
static void take_next(struct predictor *p) {
  const size_t most = p->config->max_receiving_bytes;
  const size_t n_most = (workers_count(p->workers) + 1) / 2;
  for (struct predict_job *job; p->n_reading < n_most && (job = turns_next(p));) {
    const size_t bytes = reading_bytes_of(job);
    if (most > 0 && bytes > 0 && p->reading_bytes > 0 &&
        (p->reading_bytes > most || bytes > most - p->reading_bytes))
      return;
    if (!job_happens(job, JOB_EVENT_TAKE))
      continue;
    turns_give(job);
    job->reading_bytes = bytes;
    p->reading_bytes += bytes;
    p->n_reading++;
    job_to_worker(job, read_and_plan, end_turn);
  }
}

static void put_off(struct predict_job *job, enum job_event event) {
  struct predictor *p = job->predictor;
  if (job_happens(job, event) && event == JOB_EVENT_PLAN_LATER)
    job_deadline_watch(job);
  take_next(p);
}

/* On the loop */

bool job_reads_at_once(const struct predict_job *job) {
  return job->body_size <= READ_ON_LOOP_BYTES;
}

void job_read(struct predict_job *job) {
  if (!job_reads_at_once(job)) {
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
  if (!predict_job_failed(job) && !job->loaded) {
    job_model_await(job);
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
