#include "server/jobs/predict.h"

#include "server/jobs/admission.h"
#include "server/jobs/job_life.h"
#include "server/jobs/job_model.h"
#include "server/jobs/job_reading.h"
#include "server/jobs/predictor.h"

#include <stdlib.h>

/* Begins the life of a job that is RECEIVED. */
static void set_out(struct predict_job *job) {
  if (predict_job_failed(job))
    job_happens(job, JOB_EVENT_FAIL);
  else
    job_read(job);
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
  job->dispersion = dispersion_data_hold(p->dispersion);
  job->limits = (struct codec_limits){.max_structures = p->config->max_structures,
                                      .max_atoms = p->config->max_atoms};
  job->begun_ns = uv_hrtime();
  p->n_jobs++;
  turns_enter(job);
  return job;
}

static void take_body(struct predict_job *job, const struct predict_call *call) {
  job->body = call->body;
  job->body_size = call->size;
  job_hold_body(job);
  if (!predict_job_failed(job))
    admission_judge_body(job);
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
  job_model_find(job, call->model);
  take_body(job, call);
  set_out(job);
  return job;
}

struct predict_job *predict_submit(struct predictor *p,
                                   const struct predict_submission *submission) {
  struct predict_job *job = begin_job(p, "", submission->client, submission->context);
  if (!job) {
    request_fini(submission->request);
    return NULL;
  }
  job->kind = JOB_OF_NUMBERS;
  job->submitted = submission->submitted;
  job->stepper = submission->stepper;
  job->left = submission->left;
  job_model_find(job, submission->model);
  predict_job_take(job, submission->request);
  set_out(job);
  return job;
}

bool predict_cancel(struct predict_job *job) {
  atomic_store(&job->cancelled, true);
  metrics_request_cancelled(job->predictor->metrics, "disconnect");
  job_happens(job, JOB_EVENT_CANCEL);
  if (job->state != JOB_CANCELLED)
    return false;
  job_free(job);
  return true;
}
