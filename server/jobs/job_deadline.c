#include "server/jobs/job_deadline.h"

#include "server/jobs/job_life.h"
#include "server/jobs/predictor_queue.h"

void job_deadline_problem(const struct predict_job *job, struct problem *problem) {
  problem_of_kind(problem, PROBLEM_DEADLINE_PASSED, "#/deadline_ms",
                  "the deadline of %.15g ms passed before the computation began",
                  job->request.deadline_ms);
}

void job_deadline_judge(struct predict_job *job, uint64_t now_ns) {
  if (predict_job_failed(job) || predict_job_deadline_ns(job) > now_ns)
    return;
  job_deadline_problem(job, &job->problem);
  metrics_request_cancelled(job->predictor->metrics, "deadline");
}

/* Fails those of a list whose deadline has passed; returns the next one's. */
static uint64_t run_list(const struct job_list *list, uint64_t now_ns) {
  uint64_t earliest_ns = SCHEDULER_NEVER;
  for (struct predict_job *job = list->first, *next; job; job = next) {
    const uint64_t deadline_ns =
        job->state == JOB_READ_DUE ? SCHEDULER_NEVER : predict_job_deadline_ns(job);
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

static void on_timer(uv_timer_t *timer) {
  struct predictor *p = timer->data;
  job_deadline_run(p, uv_hrtime());
  predictor_run(p); /* batches need not wait for those that have failed */
}

uint64_t job_deadline_run(struct predictor *p, uint64_t now_ns) {
  if (now_ns >= p->early_deadline_ns) {
    const uint64_t loading_ns = run_list(&p->loading, now_ns), due_ns = run_list(&p->due, now_ns);
    p->early_deadline_ns = loading_ns < due_ns ? loading_ns : due_ns;
  }
  wake_at(p->deadline_timer, p->early_deadline_ns, on_timer);
  return p->early_deadline_ns;
}

void job_deadline_watch(struct predict_job *job) {
  struct predictor *p = job->predictor;
  const uint64_t deadline_ns = predict_job_deadline_ns(job);
  if (deadline_ns >= p->early_deadline_ns)
    return;
  p->early_deadline_ns = deadline_ns;
  wake_at(p->deadline_timer, deadline_ns, on_timer);
}
