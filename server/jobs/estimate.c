#include "server/jobs/estimate.h"

#include "core/base/arena.h"
#include "server/models/cost.h"

#include <math.h>

/* Microseconds are more than a guess deserves. */
static double milliseconds(double seconds) {
  return round(seconds * 1e6) / 1e3;
}

/* What dispersion and the members of a committee take for a structure. */
static size_t term_bytes(const struct predict_job *job, const struct request_item *item) {
  const size_t of_term =
      job->term && !item->problem ? irrep_term_bytes(job->term, item->structure.n_atoms, 0) : 0;
  return item->problem ? 0 : size_add(of_term, item->members_bytes);
}

/* What all models take on one thread. */
static double seconds_of(const struct predict_job *job, const struct irrep_plan *plan) {
  double seconds = cost_seconds(&job->loaded->rates[job->precision], plan);
  for (size_t i = 0; i < job->committee.n; i++) {
    const struct committee_model *member = &job->committee.members[i];
    seconds += cost_seconds(&member->loaded->rates[member->precision], plan);
  }
  return seconds;
}

static void put_sizes(struct json_writer *w, const struct predict_job *job,
                      const struct irrep_plan *plan, size_t extra_bytes) {
  const size_t n_threads = 1 + compute_helpers_max(job->compute, plan->n_atoms);
  const double seconds = seconds_of(job, plan) / (double)n_threads;
  json_put_size(w, "n_atoms", plan->n_atoms);
  json_put_size(w, "n_edges", plan->n_edges);
  json_put_size(w, "bytes",
                size_add(job->compute->evaluator->bytes(job->loaded->model, job->precision, plan),
                         extra_bytes));
  json_put_double(w, "compute_ms", seconds > 0 ? milliseconds(seconds) : (double)NAN);
}

static void put_item(struct json_writer *w, const struct predict_job *job,
                     const struct request_item *item) {
  if (item->problem) {
    answer_json_error(w, item->id, item->problem);
    return;
  }
  answer_json_open(w, item->id, "ok");
  put_sizes(w, job, &item->plan, term_bytes(job, item));
  json_close_object(w);
}

void estimate_write(struct text *text, const struct predict_job *job, double queue_seconds) {
  struct json_writer w = json_writer_over(text);
  struct irrep_plan sum = IRREP_PLAN_INIT;
  size_t extra_bytes = 0;
  json_open_object(&w, NULL);
  json_put_string(&w, "model", job->served->name);
  json_put_string(&w, "model_sha256", job->loaded->sha256);
  json_put_string(&w, "request_id", job->request_id);
  json_put_string(&w, "precision", job->precision == IRREP_FLOAT64 ? "float64" : "float32");
  json_open_array(&w, "results");
  for (size_t i = 0; i < job->request.n_items; i++) {
    const struct request_item *item = &job->request.items[i];
    put_item(&w, job, item);
    extra_bytes = size_add(extra_bytes, term_bytes(job, item));
    sum.n_structures += item->problem ? 0 : 1;
    sum.n_atoms += item->problem ? 0 : item->plan.n_atoms;
    sum.n_edges += item->problem ? 0 : item->plan.n_edges;
  }
  json_close_array(&w);
  json_open_object(&w, "total");
  put_sizes(&w, job, &sum, extra_bytes);
  json_put_double(&w, "queue_ms", milliseconds(queue_seconds));
  json_close_object(&w);
  json_close_object(&w);
}
