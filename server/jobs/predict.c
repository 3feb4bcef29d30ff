#include "server/jobs/predict.h"

#include "server/jobs/admission.h"
#include "server/jobs/job_life.h"
#include "server/jobs/job_reading.h"
#include "server/jobs/predictor.h"

#include <stdlib.h>
#include <string.h>

/* Models */

static void fail_unloaded(struct predict_job *job) {
  const struct served_model *served = job->served;
  problem_of_kind(&job->problem, PROBLEM_MODEL_NOT_READY, "",
                  "the model %s could not be loaded: %.200s", served->name, served->error.detail);
}

/* The job holds its model from now on, and counts among those that others may wait for. */
static void hold(struct predict_job *job, struct loaded_model *loaded) {
  struct predictor *p = job->predictor;
  const struct bounds *bounds =
      bounds_find(&loaded->bounds, p->compute.evaluator, loaded->model, p->config->memory_budget);
  memcpy(job->bounds, bounds, sizeof job->bounds);
  job->loaded = loaded;
  scheduler_enter(p->scheduler);
}

static void on_loaded(struct load_waiter *waiter, struct loaded_model *loaded) {
  struct predict_job *job =
      (struct predict_job *)(void *)((char *)waiter - offsetof(struct predict_job, waiter));
  if (loaded) {
    if (job_happens(job, JOB_EVENT_LOADED)) {
      hold(job, loaded);
      job_read(job);
    } else {
      registry_release(loaded);
    }
    return;
  }
  if (job->served->state == MODEL_FAILED)
    fail_unloaded(job);
  else
    problem_of_error(&job->problem, &job->served->error, "");
  job_happens(job, JOB_EVENT_FAIL);
}

/* Finds the model of a job, which holds it if it is in memory; otherwise the job has failed, or
 * holds none yet. */
static void find_model(struct predict_job *job, const char *model) {
  struct predictor *p = job->predictor;
  job->served = registry_find(p->registry, model);
  if (p->draining)
    predict_job_fail(job, PROBLEM_DRAINING, "the server finishes what it has accepted");
  else if (!job->served)
    problem_of_kind(&job->problem, PROBLEM_UNKNOWN_MODEL, "", "there is no model \"%.64s\"", model);
  else if (job->served->state == MODEL_FAILED)
    fail_unloaded(job);
  struct loaded_model *loaded = predict_job_failed(job) ? NULL : registry_hold(job->served);
  if (loaded)
    hold(job, loaded);
}

/* Begins the life of a job that is RECEIVED. */
static void set_out(struct predict_job *job) {
  if (predict_job_failed(job)) {
    job_happens(job, JOB_EVENT_FAIL);
  } else if (job->loaded) {
    job_read(job);
  } else if (job_happens(job, JOB_EVENT_AWAIT)) {
    job->waiter.loaded = on_loaded;
    registry_wait(job->served, &job->waiter);
  }
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

/* Takes the body, which counts as held unless it is read at once. */
static void take_body(struct predict_job *job, const struct predict_call *call) {
  job->body = call->body;
  job->body_size = call->size;
  if (predict_job_failed(job) || (job->loaded && job_reads_at_once(job)))
    return;
  if (admission_may_hold(job->predictor, call->size))
    job_hold_bytes(job, call->size);
  else
    predict_job_fail(job, PROBLEM_NO_MEMORY, "no memory for the body");
}

struct predict_job *predict_call(struct predictor *p, const struct predict_call *call) {
  struct predict_job *job = begin_job(p, call->request_id, call->client, call->context);
  if (!job) {
    free(call->body);
    return NULL;
  }
  job->kind = call->estimates ? JOB_OF_ESTIMATE : JOB_OF_ANSWER;
  job->done = call->done;
  job->body_format = call->body_format;
  job->json_size = call->json_size;
  job->answer_format = call->estimates ? FORMAT_JSON : call->answer_format;
  find_model(job, call->model);
  take_body(job, call);
  set_out(job);
  return job;
}

struct predict_job *predict_submit(struct predictor *p, const char *model, struct request *request,
                                   predict_submitted submitted, void *context) {
  struct predict_job *job = begin_job(p, "", NULL, context);
  if (!job) {
    request_fini(request);
    return NULL;
  }
  job->kind = JOB_OF_NUMBERS;
  job->submitted = submitted;
  find_model(job, model);
  predict_job_take(job, request);
  set_out(job);
  return job;
}

void predict_cancel(struct predict_job *job) {
  atomic_store(&job->cancelled, true);
  metrics_request_cancelled(job->predictor->metrics, "disconnect");
  job_happens(job, JOB_EVENT_CANCEL);
  if (job->state == JOB_CANCELLED)
    job_free(job);
}
