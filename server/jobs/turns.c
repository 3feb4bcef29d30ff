#include "server/jobs/turns.h"

#include "server/jobs/predictor.h"

/* Of interactive requests, for one of bulk. */
#define TURNS_PER_BULK 3

void turns_enter(struct predict_job *job) {
  const uint64_t now = job->predictor->turns.n;
  job->turn = now;
  if (job->client && job->client->n_users == 1)
    job->client->turn = now;
}

static uint64_t last_turn(const struct predict_job *job) {
  return job->client ? job->client->turn : job->turn;
}

/* Which of two goes first; a is the earlier one in the list, or NULL. */
static struct predict_job *first_of(struct predict_job *a, struct predict_job *b) {
  return a && last_turn(a) <= last_turn(b) ? a : b;
}

struct predict_job *turns_next(const struct predictor *p,
                               bool (*counts)(const struct predict_job *job)) {
  struct predict_job *first[2] = {NULL, NULL}; /* by priority; unread ones are interactive */
  for (struct predict_job *job = p->due.first; job; job = job->next)
    if (counts(job))
      first[job->request.priority] = first_of(first[job->request.priority], job);
  struct predict_job *interactive = first[PRIORITY_INTERACTIVE], *bulk = first[PRIORITY_BULK];
  return !interactive || (bulk && p->turns.since_bulk >= TURNS_PER_BULK) ? bulk : interactive;
}

static bool bulk_is_due(const struct predictor *p) {
  const struct predict_job *job = p->due.first;
  while (job && job->request.priority != PRIORITY_BULK)
    job = job->next;
  return job != NULL;
}

void turns_give(struct predict_job *job) {
  struct turns *turns = &job->predictor->turns;
  job->turn = ++turns->n;
  if (job->client)
    job->client->turn = turns->n;
  turns->since_bulk = job->request.priority == PRIORITY_BULK || !bulk_is_due(job->predictor)
                          ? 0
                          : turns->since_bulk + 1;
  metrics_turn(job->predictor->metrics);
}

void turns_begin_planning(struct predict_job *job) {
  struct turns *turns = &job->predictor->turns;
  if (job->is_planned_in_turns)
    return;
  job->is_planned_in_turns = true;
  turns->n_requests++;
  turns->n_structures += job->request.n_items;
  if (job->kind != JOB_OF_ESTIMATE) {
    job->planning_atoms = predict_job_atoms(job);
    job->planning_structures = job->request.n_items;
    turns->queued_atoms += job->planning_atoms;
    turns->queued_structures += job->planning_structures;
    if (job->client)
      job->client->n_planning += job->planning_structures;
  }
  metrics_planning(job->predictor->metrics, turns->n_requests, turns->n_structures);
}

void turns_end_planning(struct predict_job *job) {
  struct turns *turns = &job->predictor->turns;
  if (!job->is_planned_in_turns)
    return;
  job->is_planned_in_turns = false;
  turns->n_requests--;
  turns->n_structures -= job->request.n_items;
  turns->queued_atoms -= job->planning_atoms;
  turns->queued_structures -= job->planning_structures;
  if (job->client)
    job->client->n_planning -= job->planning_structures;
  job->planning_atoms = job->planning_structures = 0;
  metrics_planning(job->predictor->metrics, turns->n_requests, turns->n_structures);
}
