#include "server/jobs/estimate.h"

#include "server/models/cost.h"

#include <math.h>

/* Microseconds are more than a guess deserves. */
static void put_milliseconds(struct text *text, const char *key, double seconds) {
  text_puts(text, key);
  text_put_double(text, seconds > 0 ? round(seconds * 1e6) / 1e3 : (double)NAN);
}

static void put_sizes(struct text *text, const struct predict_job *job,
                      const struct irrep_plan *plan) {
  const size_t n_threads = 1 + compute_helpers_max(job->compute, plan->n_atoms);
  text_puts(text, "\"n_atoms\":");
  text_put_size(text, plan->n_atoms);
  text_puts(text, ",\"n_edges\":");
  text_put_size(text, plan->n_edges);
  text_puts(text, ",\"bytes\":");
  text_put_size(text, job->compute->evaluator->bytes(job->loaded->model, job->precision, plan));
  put_milliseconds(text, ",\"compute_ms\":",
                   cost_seconds(&job->loaded->rates[job->precision], plan) / (double)n_threads);
}

static void put_item(struct text *text, const struct predict_job *job,
                     const struct request_item *item) {
  if (item->problem) {
    answer_json_error(text, item->id, item->problem);
    return;
  }
  text_puts(text, "{");
  if (item->id) {
    text_puts(text, "\"id\":");
    text_put_json(text, item->id);
    text_puts(text, ",");
  }
  text_puts(text, "\"status\":\"ok\",");
  put_sizes(text, job, &item->plan);
  text_puts(text, "}");
}

void estimate_write(struct text *text, const struct predict_job *job, double queue_seconds) {
  struct irrep_plan sum = {0};
  text_puts(text, "{\"model\":");
  text_put_json(text, job->served->name);
  text_puts(text, ",\"model_sha256\":");
  text_put_json(text, job->loaded->sha256);
  text_puts(text, ",\"request_id\":");
  text_put_json(text, job->request_id);
  text_puts(text, job->precision == IRREP_FLOAT64 ? ",\"precision\":\"float64\",\"results\":["
                                                  : ",\"precision\":\"float32\",\"results\":[");
  for (size_t i = 0; i < job->request.n_items; i++) {
    const struct request_item *item = &job->request.items[i];
    text_puts(text, i > 0 ? "," : "");
    put_item(text, job, item);
    sum.n_structures += item->problem ? 0 : 1;
    sum.n_atoms += item->problem ? 0 : item->plan.n_atoms;
    sum.n_edges += item->problem ? 0 : item->plan.n_edges;
  }
  text_puts(text, "],\"total\":{");
  put_sizes(text, job, &sum);
  text_puts(text, ",\"queue_ms\":");
  text_put_double(text, round(queue_seconds * 1e6) / 1e3);
  text_puts(text, "}}");
}
