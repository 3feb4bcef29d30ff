#include "server/jobs/job_reading.h"

#include "server/jobs/admission.h"
#include "server/jobs/job_life.h"
#include "server/jobs/job_model.h"
#include "server/jobs/predictor.h"

/* Larger bodies are read, and requests of more edges planned, on a worker. */
#define READ_ON_LOOP_BYTES ((size_t)256 << 10)
#define PLAN_ON_LOOP_EDGES ((size_t)64 << 10)

/* What a worker plans before others have their turn: some 0.2 s. */
#define PLAN_EDGES ((size_t)8 << 20)

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
  const size_t most = job->bounds[0].max_edges > job->bounds[1].max_edges
                          ? job->bounds[0].max_edges
                          : job->bounds[1].max_edges;
  if (job->loaded && !predict_job_failed(job) && !atomic_load(&job->cancelled))
    predict_job_plan(job, most > PLAN_EDGES ? most : PLAN_EDGES); /* one at least */
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

/* The workers' settled hook runs the scheduler afterwards. */
static void end_turn(struct work *work) {
  struct predict_job *job = predict_job_of(work);
  struct predictor *p = job->predictor;
  p->n_reading--;
  p->reading_bytes -= job->reading_bytes;
  job->reading_bytes = 0;
  hold_request(job);
  if (!job_is_let_go(job)) {
    if (predict_job_failed(job) || job->predictions) {
      end_planning(job);
    } else if (!job->loaded) {
      job_model_await(job);
    } else {
      predictor_run(p); /* a batch that waits takes the worker first */
      job_happens(job, JOB_EVENT_PLAN_LATER);
    }
  }
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

/* Gives jobs to workers in their order: to half of them, and as many bodies at a time as there is
 * memory for what is read of them. */
static void take_next(struct predictor *p) {
  const size_t most = p->config->max_receiving_bytes;
  const size_t n_most = (workers_count(p->workers) + 1) / 2;
  for (struct predict_job *job; (job = p->due.first) && p->n_reading < n_most;) {
    const size_t bytes = reading_bytes_of(job);
    if (most > 0 && bytes > 0 && p->reading_bytes > 0 &&
        (p->reading_bytes > most || bytes > most - p->reading_bytes))
      return;
    if (!job_happens(job, JOB_EVENT_TAKE))
      continue;
    job->reading_bytes = bytes;
    p->reading_bytes += bytes;
    p->n_reading++;
    job_to_worker(job, read_and_plan, end_turn);
  }
}

static void put_off(struct predict_job *job, enum job_event event) {
  struct predictor *p = job->predictor;
  job_happens(job, event);
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
      (!predict_job_plans_quickly(job) || !predict_job_plan(job, PLAN_ON_LOOP_EDGES))) {
    put_off(job, JOB_EVENT_PLAN_LATER);
    return;
  }
  end_planning(job);
  predictor_run(p);
}
