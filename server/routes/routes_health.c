#include "irrep/version.h"
#include "server/base/ledger.h"
#include "server/base/problem_kinds.h"
#include "server/compute/profile.h"
#include "server/routes/routes.h"

#include <stdlib.h>
#include <string.h>

/* server/page/openapi.json, embedded by `ld -r -b binary` run from the project root. */
extern const char _binary_server_page_openapi_json_start[];
extern const char _binary_server_page_openapi_json_end[];

static void reply_state(struct http_exchange *exchange, const char *state) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_put_string(&w, "status", state);
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}

void route_live(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)services, (void)model;
  reply_state(exchange, "live");
}

const char *routes_state(const struct services *services) {
  if (services->draining)
    return "draining";
  if (registry_ready(services->registry))
    return "ready";
  for (size_t i = 0; i < registry_count(services->registry); i++)
    if (registry_at(services->registry, i)->state == MODEL_LOADING)
      return "loading";
  return "failed";
}

bool routes_ready(const struct services *services, struct problem *problem) {
  const char *state = routes_state(services);
  if (strcmp(state, "ready") == 0)
    return true;
  if (strcmp(state, "draining") == 0)
    problem_of_kind(problem, PROBLEM_DRAINING, "", "Requests under way are being finished.");
  else if (strcmp(state, "loading") == 0)
    problem_of_kind(problem, PROBLEM_MODEL_LOADING, "", "Models are being loaded.");
  else if (registry_count(services->registry) == 0)
    problem_of_kind(problem, PROBLEM_MODEL_NOT_READY, "", "%s",
                    registry_advice(services->registry));
  else
    problem_of_kind(problem, PROBLEM_MODEL_NOT_READY, "",
                    "No model could be loaded; GET /v1/models says why.");
  return false;
}

void route_ready(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  struct problem problem;
  if (routes_ready(services, &problem))
    reply_state(exchange, "ready");
  else
    http_reply_problem(exchange, &problem, NULL);
}

static void put_model(struct json_writer *w, const struct services *services,
                      const struct served_model *served) {
  json_open_object(w, NULL);
  json_put_string(w, "name", served->name);
  json_put_string(w, "state", model_state_name(served->state));
  if (served->model != NULL) {
    json_put_size(w, "bytes", registry_model_bytes(served));
    json_put_size(w, "requests", registry_users(served));
    json_put_double(w, "idle_s", registry_idle_seconds(served));
  }
  json_put_bool(w, "pinned", served->pinned);
  json_put_size(w, "queued_structures",
                predictor_stats_of(services->predictor, served).queued_structures);
  if (served->state == MODEL_FAILED)
    json_put_string(w, "error", served->error.detail);
  json_close_object(w);
}

/* Time by operation, of all threads together. */
static void put_profile(struct json_writer *w, const struct profile_totals *totals) {
  if (totals->n_totals == 0)
    return;
  json_open_array(w, "profile");
  for (size_t i = 0; i < totals->n_totals; i++) {
    const struct profile_total *total = &totals->totals[i];
    json_open_object(w, NULL);
    json_put_string(w, "model", total->model);
    json_put_string(w, "operation", total->item.operation);
    json_put_string(w, "pass", total->item.adjoint ? "adjoint" : "forward");
    json_put_double(w, "seconds", total->item.seconds);
    json_put_double(w, "share", total->item.seconds / profile_totals_seconds(totals, total->model));
    json_close_object(w);
  }
  json_close_array(w);
}

static void put_limits(struct json_writer *w, const struct config *config) {
  json_open_object(w, "limits");
  json_put_size(w, "max_body_bytes", config->max_body_bytes);
  json_put_size(w, "max_structures", config->max_structures);
  json_put_size(w, "max_atoms", config->max_atoms);
  json_put_size(w, "max_queue", config->max_queue);
  json_put_size(w, "max_queue_atoms", config->max_queue_atoms);
  json_put_size(w, "max_batch_bytes", config->max_batch_bytes);
  json_put_size(w, "max_batch_ms", config->max_batch_ms);
  json_put_size(w, "max_connections", config->max_connections);
  json_close_object(w);
}

/* What is being done, and the memory for it. */
static void put_load(struct json_writer *w, const struct services *services) {
  const struct predictor_stats stats = predictor_stats(services->predictor);
  const struct ledger *ledger = predictor_ledger(services->predictor);
  predictor_note_memory(services->predictor);
  json_open_object(w, "queue");
  json_put_size(w, "structures", stats.queued_structures);
  json_put_size(w, "atoms", stats.queued_atoms);
  json_put_double(w, "seconds", stats.queued_seconds);
  json_close_object(w);
  json_open_object(w, "planning");
  json_put_size(w, "requests", stats.planning_requests);
  json_put_size(w, "structures", stats.planning_structures);
  json_put_size(w, "turns", stats.n_turns);
  json_close_object(w);
  json_open_object(w, "workers");
  json_put_size(w, "count", stats.workers);
  json_put_size(w, "idle", stats.workers_idle);
  json_close_object(w);
  json_put_size(w, "batches_running", stats.batches_running);
  json_open_object(w, "memory");
  json_put_size(w, "planned_bytes", stats.planned_bytes);
  json_put_size(w, "budget_bytes", ledger_part(ledger, LEDGER_BATCHES));
  json_put_size(w, "model_bytes", registry_bytes(services->registry));
  json_put_size(w, "model_budget_bytes", services->config->model_budget);
  json_open_object(w, "taken_bytes");
  for (enum ledger_kind kind = 0; kind < LEDGER_N_KINDS; kind++)
    json_put_size(w, ledger_kind_name(kind), ledger->used[kind]);
  json_close_object(w);
  json_put_size(w, "limit_bytes", ledger_limit(ledger));
  json_close_object(w);
}

void route_status(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_put_string(&w, "state", routes_state(services));
  json_put_string(&w, "version", IRREP_VERSION);
  json_put_string(&w, "libuv", uv_version_string());
  json_put_string(&w, "blas", services->blas);
  json_put_double(&w, "uptime_s", (double)(uv_hrtime() - services->started_ns) * 1e-9);
  json_open_array(&w, "models");
  for (size_t i = 0; i < registry_count(services->registry); i++)
    put_model(&w, services, registry_at(services->registry, i));
  json_close_array(&w);
  put_load(&w, services);
  json_put_size(&w, "connections", !services->http ? 0 : http_connections(services->http));
  put_limits(&w, services->config);
  put_profile(&w, predictor_profile(services->predictor));
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}

void route_metrics(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  size_t size = 0;
  predictor_note_memory(services->predictor);
  char *text = metrics_render(services->metrics, &size);
  reply_text(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", text, size);
}

void route_openapi(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)services, (void)model;
  const size_t size =
      (size_t)(_binary_server_page_openapi_json_end - _binary_server_page_openapi_json_start);
  char *text = malloc(size + 1);
  if (text != NULL)
    memcpy(text, _binary_server_page_openapi_json_start, size);
  reply_text(exchange, 200, "application/json", text, size);
}
