#include "server/jobs/job_deadline.h"

#include "server/jobs/job_life.h"
#include "server/jobs/predictor.h"

/* Milliseconds of at most CODEC_DEADLINE_MS_MAX do not overflow. */
uint64_t job_deadline_ns(const struct predict_job *job) {
  if (!job->request.has_deadline)
    return SCHEDULER_NEVER;
  return job->begun_ns + (uint64_t)(job->request.deadline_ms * 1e6);
}

void job_deadline_problem(const struct predict_job *job, struct problem *problem) {
  problem_of_kind(problem, PROBLEM_DEADLINE_PASSED, "#/deadline_ms",
                  "the deadline of %.15g ms passed before the computation began",
                  job->request.deadline_ms);
}

void job_deadline_watch(struct predict_job *job) {
  struct predictor *p = job->predictor;
  const uint64_t deadline_ns = job_deadline_ns(job);
  if (deadline_ns >= p->early_deadline_ns)
    return;
  p->early_deadline_ns = deadline_ns;
  predictor_run(p); /* sets the timer */
}

void job_deadline_judge(struct predict_job *job, uint64_t now_ns) {
  if (predict_job_failed(job) || job_deadline_ns(job) > now_ns)
    return;
  job_deadline_problem(job, &job->problem);
  metrics_request_cancelled(job->predictor->metrics, "deadline");
}

/* Fails those of a list whose deadline has passed; returns the next one's. */
static uint64_t run_list(const struct job_list *list, uint64_t now_ns) {
  uint64_t earliest_ns = SCHEDULER_NEVER;
  for (struct predict_job *job = list->first, *next; job; job = next) {
    const uint64_t deadline_ns =
        job->state == JOB_READ_DUE ? SCHEDULER_NEVER : job_deadline_ns(job);
    next = job->next;
    if (deadline_ns <= now_ns) {
      job_deadline_judge(job, now_ns);
      job_happens(job, JOB_EVENT_FAIL);
    } else if (deadline_ns < earliest_ns) {
      earliest_ns = deadline_ns;
    }
  }
  return earliest_ns;
}

uint64_t job_deadline_run(struct predictor *p, uint64_t now_ns) {
  if (now_ns < p->early_deadline_ns)
    return p->early_deadline_ns;
  const uint64_t loading_ns = run_list(&p->loading, now_ns), due_ns = run_list(&p->due, now_ns);
  p->early_deadline_ns = loading_ns < due_ns ? loading_ns : due_ns;
  return p->early_deadline_ns;
}
