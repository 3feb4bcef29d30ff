#include "server/jobs/job_model.h"

#include "server/jobs/job_deadline.h"
#include "server/jobs/job_life.h"
#include "server/jobs/predictor.h"

#include <stddef.h>
#include <string.h>

static void fail_unloaded(struct predict_job *job) {
  const struct served_model *served = job->served;
  problem_of_kind(&job->problem, PROBLEM_MODEL_NOT_READY, "",
                  "the model %s could not be loaded: %.200s", served->name, served->error.detail);
}

/* The job holds its model from now on, and counts among those that others may wait for. */
static void hold(struct predict_job *job, struct loaded_model *loaded) {
  struct predictor *p = job->predictor;
  const struct bounds *bounds = bounds_find(&loaded->bounds, p->compute.evaluator, loaded->model,
                                            ledger_part(p->ledger, LEDGER_BATCHES));
  memcpy(job->bounds, bounds, sizeof job->bounds);
  job->loaded = loaded;
  scheduler_enter(p->scheduler);
}

struct predict_job *job_model_loaded(struct load_waiter *waiter, struct loaded_model *loaded) {
  struct predict_job *job =
      (struct predict_job *)(void *)((char *)waiter - offsetof(struct predict_job, waiter));
  if (loaded && job_happens(job, JOB_EVENT_LOADED)) {
    hold(job, loaded);
    return job;
  }
  if (loaded) {
    registry_release(loaded);
    return NULL;
  }
  if (job->served->state == MODEL_FAILED)
    fail_unloaded(job);
  else
    problem_of_error(&job->problem, &job->served->error, "");
  job_happens(job, JOB_EVENT_FAIL);
  return NULL;
}

void job_model_find(struct predict_job *job, const char *model) {
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

void job_model_await(struct predict_job *job, job_model_done done) {
  if (!job_happens(job, JOB_EVENT_AWAIT))
    return;
  job->waiter.loaded = done;
  registry_wait(job->served, &job->waiter);
  job_deadline_watch(job);
}
