#include "server/jobs/job_life.h"

#include "server/base/log.h"
#include "server/jobs/predictor_queue.h"

#include <stdlib.h>

/* Lists */

void job_list_init(struct job_list *list) {
  list->first = NULL;
  list->end = &list->first;
}

void job_list_append(struct job_list *list, struct predict_job *job) {
  job->next = NULL;
  *list->end = job;
  list->end = &job->next;
}

void job_list_remove(struct job_list *list, struct predict_job *job) {
  struct predict_job **at = &list->first;
  while (*at != job)
    at = &(*at)->next;
  *at = job->next;
  if (!*at)
    list->end = at;
}

/* The list whose jobs are those of a state; NULL: there is none. */
static struct job_list *list_of(struct predictor *p, enum job_state state) {
  switch (state) {
  case JOB_LOADING:
    return &p->loading;
  case JOB_READ_DUE:
  case JOB_PLAN_DUE:
    return &p->due;
  case JOB_READY:
    return &p->ready;
  default:
    return NULL;
  }
}

/* Events */

/* Takes a job's structures from the scheduler; those that are in a batch are let go by its end. */
static void withdraw_structures(struct predict_job *job) {
  struct predictor *p = job->predictor;
  for (size_t i = 0; i < job->request.n_items; i++) {
    struct entry *entry = &job->predictions[i].entry;
    if (entry->state == ENTRY_WAITING) {
      metrics_structure_done(p->metrics, job->served->name, "cancelled", 0, 0);
      predictor_left_queue(job);
    }
    if (entry->state != ENTRY_IDLE)
      scheduler_remove(p->scheduler, entry);
  }
  predictor_update_gauges(p, job->served);
}

static void leave(struct predict_job *job, enum job_state to) {
  struct predictor *p = job->predictor;
  struct job_list *list = list_of(p, job->state);
  if (list)
    job_list_remove(list, job);
  if (to != JOB_PLAN_DUE && to != JOB_PLANNING)
    turns_end_planning(job);
  if (job->state == JOB_LOADING)
    registry_leave(&job->waiter);
  if (job->loaded && job_state_is_early(job->state) && !job_state_is_early(to))
    scheduler_entered(p->scheduler);
  if ((job->state == JOB_QUEUED || job->state == JOB_RUNNING) && job->n_open > 0 &&
      to != JOB_QUEUED && to != JOB_RUNNING)
    withdraw_structures(job);
}

static void enter(struct predict_job *job) {
  struct job_list *list = list_of(job->predictor, job->state);
  if (list)
    job_list_append(list, job);
  if (job->state == JOB_PLAN_DUE)
    turns_begin_planning(job);
  if (job->state == JOB_READY)
    next_turn_ask(&job->predictor->next_turn);
}

/* Of a broken job that a worker brings back, only its end matters. */
static enum job_event event_of(const struct predict_job *job, enum job_event event) {
  return job->is_broken && event != JOB_EVENT_CANCEL && event != JOB_EVENT_RELEASE &&
                 event != JOB_EVENT_DELIVER && event != JOB_EVENT_RUN
             ? JOB_EVENT_FAIL
             : event;
}

static void report(const struct predict_job *job, enum job_event event) {
  log_write(LOG_ERROR, "internal error: no such event in this state of a request", LOG_STRING,
            "request_id", job->request_id, LOG_STRING, "state", job_state_name(job->state),
            LOG_STRING, "event", job_event_name(event), LOG_END);
}

bool job_happens(struct predict_job *job, enum job_event event) {
  const enum job_event taken = event_of(job, event);
  enum job_state to;
  const bool legal = job_transition(job->state, taken, &to);
  if (!legal) {
    report(job, event);
    job->predictor->n_illegal++;
    job->is_broken = true;
  }
  if (to != job->state) {
    leave(job, to);
    job->state = to;
    enter(job);
  }
  return legal && taken == event;
}

/* Workers */

void job_to_worker(struct predict_job *job,
                   void (*run)(struct work *work, void *arena, size_t bytes),
                   void (*done)(struct work *work)) {
  job->work.run = run;
  job->work.done = done;
  workers_queue(job->predictor->workers, &job->work);
}

bool job_is_let_go(struct predict_job *job) {
  if (job->state != JOB_ABANDONED)
    return false;
  void (*left)(void *context) = job->left;
  void *context = job->context;
  job_happens(job, JOB_EVENT_RELEASE);
  job_free(job);
  if (left)
    left(context);
  return true;
}

/* Memory */

void job_hold_bytes(struct predict_job *job, size_t bytes) {
  struct ledger *ledger = job->predictor->ledger;
  const size_t before = job->held_bytes;
  job->held_bytes = bytes;
  if (bytes > before)
    ledger_add(ledger, LEDGER_REQUESTS, bytes - before);
  else
    ledger_give(ledger, LEDGER_REQUESTS, before - bytes);
}

void job_hold_body(struct predict_job *job) {
  job->body_bytes = job->body ? job->body_size : 0;
  ledger_add(job->predictor->ledger, LEDGER_BODIES, job->body_bytes);
}

void job_drop_body(struct predict_job *job) {
  free(job->body);
  job->body = NULL;
  ledger_give(job->predictor->ledger, LEDGER_BODIES, job->body_bytes);
  job->body_bytes = 0;
}

void job_free(struct predict_job *job) {
  struct predictor *p = job->predictor;
  if (job->loaded) {
    scheduler_leave(p->scheduler);
    registry_release(job->loaded);
  }
  for (size_t i = 0; i < job->committee.n; i++)
    registry_release(job->committee.members[i].loaded);
  if (job->client)
    clients_leave(&p->clients, job->client);
  job_drop_body(job);
  job_hold_bytes(job, 0);
  predict_job_free(job);
  predictor_count_batches(p); /* without its graphs */
  p->n_jobs--;
  if (p->draining && p->n_jobs == 0)
    next_turn_ask(&p->next_turn);
}
