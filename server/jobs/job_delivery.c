#include "server/jobs/job_delivery.h"

#include "server/base/pieces.h"
#include "server/jobs/job_life.h"
#include "server/jobs/job_reply.h"
#include "server/jobs/predictor_queue.h"

#include <stdlib.h>

static void write_reply(struct work *work, void *arena, size_t bytes) {
  struct predict_job *job = predict_job_of(work);
  (void)arena;
  (void)bytes;
  if (!atomic_load(&job->cancelled))
    job_reply_write(job, &job->reply);
}

static void end_writing(struct work *work) {
  struct predict_job *job = predict_job_of(work);
  if (!job_is_let_go(job))
    job_happens(job, JOB_EVENT_FINISH);
}

void job_finish(struct predict_job *job) {
  if (predict_job_failed(job))
    job_happens(job, JOB_EVENT_FAIL);
  else if (!job_reply_is_long(job))
    job_happens(job, JOB_EVENT_FINISH);
  else if (job_happens(job, JOB_EVENT_WRITE))
    job_to_worker(job, write_reply, end_writing);
}

/* The job goes first: whoever hears of its end may begin the next, and is one client, not two. */
static void deliver_numbers(struct predict_job *job) {
  predict_job_drop_graphs(job);
  struct request request = job->request;
  const struct irrep_result *results = job->results;
  const double *dispersion_energies = job_reply_dispersion(job);
  const struct deviation *deviations = job->deviations;
  const struct problem *found = predict_job_problem(job);
  struct problem problem;
  if (found)
    problem = *found;
  predict_submitted submitted = job->submitted;
  void *context = job->context;
  job->request = (struct request){0};
  job_free(job);
  submitted(context, found ? &problem : NULL, results, dispersion_energies, deviations);
  request_fini(&request);
}

static void deliver_reply(struct predict_job *job) {
  predict_done done = job->done;
  void *context = job->context;
  if (job->reply.status == 0)
    job_reply_write(job, &job->reply);
  struct reply reply = job->reply;
  job->reply = (struct reply){0};
  job_free(job);
  done(context, &reply);
}

/* What a broken job has come to is not to be trusted. */
static void distrust(struct predict_job *job) {
  free(job->reply.body);
  pieces_free(job->reply.pieces);
  job->reply = (struct reply){0};
  problem_of_kind(&job->problem, PROBLEM_INTERNAL, "",
                  "the server lost track of this request; its log says more");
}

void jobs_deliver(struct predictor *p) {
  size_t n = 0;
  for (const struct predict_job *job = p->ready.first; job; job = job->next)
    n++;
  predict_hold(p); /* drivers ask again at once, and share a batch again */
  for (struct predict_job *job; n > 0 && (job = p->ready.first); n--) {
    if (job->is_broken)
      distrust(job);
    job_happens(job, JOB_EVENT_DELIVER);
    if (job->kind == JOB_OF_NUMBERS)
      deliver_numbers(job);
    else
      deliver_reply(job);
  }
  predict_let_go(p);
}
