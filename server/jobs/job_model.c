#include "server/jobs/job_model.h"

#include "server/jobs/job_deadline.h"
#include "server/jobs/job_life.h"
#include "server/jobs/predictor.h"
#include "server/models/unknown_model.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static void fail_unloaded(struct predict_job *job, const struct served_model *served) {
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

/* The next member of the committee. */
static void hold_member(struct predict_job *job, struct loaded_model *loaded) {
  job->committee.members[job->committee.n++].loaded = loaded;
}

struct predict_job *job_model_loaded(struct load_waiter *waiter, struct loaded_model *loaded) {
  struct predict_job *job =
      (struct predict_job *)(void *)((char *)waiter - offsetof(struct predict_job, waiter));
  if (loaded && job_happens(job, JOB_EVENT_LOADED)) {
    if (job->loaded)
      hold_member(job, loaded);
    else
      hold(job, loaded);
    return job;
  }
  if (loaded) {
    registry_release(loaded);
    return NULL;
  }
  if (job->awaited->state == MODEL_FAILED)
    fail_unloaded(job, job->awaited);
  else
    problem_of_error(&job->problem, &job->awaited->error, "");
  job_happens(job, JOB_EVENT_FAIL);
  return NULL;
}

void job_model_find(struct predict_job *job, const char *model) {
  struct predictor *p = job->predictor;
  job->served = registry_find(p->registry, model);
  if (p->draining)
    predict_job_fail(job, PROBLEM_DRAINING, "the server finishes what it has accepted");
  else if (!job->served)
    unknown_model(&job->problem, p->registry, "", model);
  else if (job->served->state == MODEL_FAILED)
    fail_unloaded(job, job->served);
  struct loaded_model *loaded = predict_job_failed(job) ? NULL : registry_hold(job->served);
  if (loaded)
    hold(job, loaded);
}

/* A member that is no model, or the request's own model once more. */
static void fail_member(struct predict_job *job, size_t index, enum problem_kind kind,
                        const char *what) {
  const struct request_committee *asked = &job->request.committee;
  char pointer[96];
  snprintf(pointer, sizeof pointer, "%s/%zu", asked->pointer, index);
  problem_of_kind(&job->problem, kind, pointer, "\"%s\": %s", asked->members[index].model, what);
}

static bool is_own(const struct predict_job *job, const struct committee_member *member) {
  const struct request_head *own = &job->request.head;
  return strcmp(member->model, job->served->name) == 0 && member->head.is_given == own->is_given &&
         strcmp(member->head.name, own->name) == 0;
}

/* Holds the next member. false: it has to be awaited. */
static bool find_member(struct predict_job *job) {
  const size_t index = job->committee.n;
  const struct committee_member *member = &job->request.committee.members[index];
  struct served_model *served = registry_find(job->predictor->registry, member->model);
  if (is_own(job, member)) {
    fail_member(job, index, PROBLEM_WRONG_VALUE,
                "the request's own model is there twice, and would count twice");
    return true;
  }
  if (!served) {
    char what[160];
    unknown_model_text(job->predictor->registry, member->model, what, sizeof what);
    fail_member(job, index, PROBLEM_UNKNOWN_MEMBER, what);
    return true;
  }
  if (served->state == MODEL_FAILED) {
    fail_unloaded(job, served);
    return true;
  }
  struct loaded_model *loaded = registry_hold(served);
  if (loaded)
    hold_member(job, loaded);
  else
    job->awaited = served;
  return loaded != NULL;
}

bool job_model_is_there(const struct predict_job *job) {
  return job->loaded && job->committee.n == job->request.committee.n;
}

bool job_model_hold_all(struct predict_job *job) {
  job->awaited = job->served;
  if (!job->loaded)
    return false;
  while (!predict_job_failed(job) && !job_model_is_there(job))
    if (!find_member(job))
      return false;
  return true;
}

void job_model_await(struct predict_job *job, job_model_done done) {
  if (!job_happens(job, JOB_EVENT_AWAIT))
    return;
  job->waiter.loaded = done;
  registry_wait(job->awaited, &job->waiter);
  job_deadline_watch(job);
}
