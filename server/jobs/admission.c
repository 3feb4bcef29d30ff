#include "server/jobs/admission.h"

#include "server/jobs/predictor_queue.h"

#include <math.h>

/* The same for people who wait: 1 to 60. */
static int retry_after(const struct predictor *p) {
  const double seconds = predictor_backlog_seconds(p);
  return seconds < 1 ? 1 : seconds > 60 ? 60 : (int)ceil(seconds);
}

void admission_judge_body(struct predict_job *job) {
  const size_t most = ledger_most(job->predictor->ledger, LEDGER_REQUESTS);
  job->need_bytes = predict_job_need(job);
  if (job->need_bytes <= most)
    return;
  problem_of_kind(&job->problem, PROBLEM_TOO_LARGE, "",
                  "%zu bytes of body may need %zu bytes until they are answered; requests may hold "
                  "%zu",
                  job->body_size, job->need_bytes, most);
}

bool admission_let_in(struct predict_job *job) {
  struct predictor *p = job->predictor;
  if (!job->has_room && ledger_take(p->ledger, LEDGER_REQUESTS, job->need_bytes)) {
    job->held_bytes = job->need_bytes;
    job->has_room = true;
  }
  return job->has_room;
}

void admission_let_widen(struct predict_job *job) {
  struct predictor *p = job->predictor;
  const size_t bytes = predict_job_wide_bytes(job), most = ledger_most(p->ledger, LEDGER_REQUESTS);
  if (bytes == 0)
    return;
  if (bytes > most || job->held_bytes > most - bytes) {
    problem_of_kind(&job->problem, PROBLEM_TOO_LARGE, "#/properties",
                    "descriptors of %zu atoms need %zu bytes until they are answered; requests may "
                    "hold %zu",
                    predict_job_atoms(job), bytes, most);
  } else if (!ledger_take(p->ledger, LEDGER_REQUESTS, bytes)) {
    predict_job_fail(job, PROBLEM_QUEUE_FULL,
                     "no memory is left for so many descriptors; try again later");
    job->problem.retry_after_s = retry_after(p);
  } else {
    job->held_bytes += bytes;
    job->wide_bytes = bytes;
    predict_job_widen(job);
  }
}

bool admission_is_late(struct predict_job *job, uint64_t now_ns) {
  const struct predictor *p = job->predictor;
  const uint64_t patience_ns = p->config->request_timeout_ms * UINT64_C(1000000);
  if (patience_ns == 0 || now_ns - job->begun_ns < patience_ns)
    return false;
  predict_job_fail(job, PROBLEM_QUEUE_FULL,
                   "no memory was left for the request in time; try again later");
  job->problem.retry_after_s = retry_after(p);
  return true;
}

/* The most structures of one client that may wait: three quarters of the queue unless told. */
static size_t client_share(const struct config *config) {
  const size_t share = config->max_queue - config->max_queue / 4;
  return config->max_queue_client > 0 && config->max_queue_client < config->max_queue
             ? config->max_queue_client
         : config->max_queue_client > 0 ? config->max_queue
                                        : share;
}

void admission_judge(struct predict_job *job, size_t n) {
  struct predictor *p = job->predictor;
  const enum request_priority priority = job->request.priority;
  const size_t room = scheduler_room(p->scheduler, priority);
  const size_t most = job->client ? client_share(p->config) : room;
  const size_t share = most < room ? most : room;
  /* What others plan has its place already. */
  const size_t planning = p->turns.queued_structures - job->planning_structures;
  const size_t planning_atoms = p->turns.queued_atoms - job->planning_atoms;
  const size_t waiting =
      !job->client ? 0
                   : job->client->n_waiting + job->client->n_planning - job->planning_structures;
  if (predict_job_failed(job))
    return;
  if (n > share)
    predict_job_fail(job, PROBLEM_TOO_MANY_STRUCTURES, "more structures than the queue holds");
  else if (!scheduler_has_room(p->scheduler, priority, n + planning,
                               predict_job_atoms(job) + planning_atoms))
    predict_job_fail(job, PROBLEM_QUEUE_FULL, "too many structures are waiting; try again later");
  else if (waiting > share - n)
    predict_job_fail(job, PROBLEM_CLIENT_QUOTA,
                     "too many structures of this client are waiting; try again later");
  if (predict_job_failed(job) && job->problem.retry_after_s > 0)
    job->problem.retry_after_s = retry_after(p);
}
