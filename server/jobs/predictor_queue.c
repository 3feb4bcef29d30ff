#include "server/jobs/predictor_queue.h"

/* Memory */

size_t predictor_planned_bytes(const struct predictor *p) {
  return workers_planned(p->workers) + graph_store_bytes(&p->graphs);
}

size_t predictor_batches_budget(const struct predictor *p) {
  return ledger_part(p->ledger, LEDGER_BATCHES);
}

/* What batches take is not there for graphs. */
void predictor_count_batches(struct predictor *p) {
  const size_t arenas = workers_planned(p->workers), part = predictor_batches_budget(p);
  graph_store_set_room(&p->graphs, part > arenas ? part - arenas : 0);
  ledger_set(p->ledger, LEDGER_BATCHES, predictor_planned_bytes(p));
}

void predictor_note_memory(struct predictor *p) {
  predictor_count_batches(p);
  metrics_memory(p->metrics, p->ledger);
}

/* What waits */

void predictor_update_gauges(struct predictor *p, const struct served_model *served) {
  struct scheduler_load load = scheduler_load(p->scheduler, served);
  metrics_queue(p->metrics, served->name, load.waiting.n_structures, load.waiting.n_atoms);
  predictor_note_memory(p);
}

void predictor_left_queue(struct predict_job *job) {
  if (job->client)
    job->client->n_waiting--;
}

double predictor_backlog_seconds(const struct predictor *p) {
  return scheduler_backlog_seconds(p->scheduler) / (double)workers_count(p->workers);
}

/* Running */

static void on_timer(uv_timer_t *timer) {
  predictor_run(timer->data);
}

void predictor_run(struct predictor *p) {
  p->run_is_due = p->n_holds > 0;
  if (p->run_is_due)
    return;
  scheduler_run(p->scheduler);
  workers_want(p->workers, scheduler_load(p->scheduler, NULL).waiting.n_structures > 0);
  wake_at(p->timer, scheduler_wake_ns(p->scheduler), on_timer);
}

void predict_hold(struct predictor *p) {
  p->n_holds++;
}

void predict_let_go(struct predictor *p) {
  if (--p->n_holds == 0 && p->run_is_due)
    predictor_run(p);
}

void predict_work(struct predictor *p, struct work *work) {
  workers_queue(p->workers, work);
}
