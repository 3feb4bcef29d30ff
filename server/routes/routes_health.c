#include "server/base/problem_kinds.h"
#include "server/base/version.h"
#include "server/compute/profile.h"
#include "server/routes/routes.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* server/page/openapi.json, embedded by `ld -r -b binary` run from the project root. */
extern const char _binary_server_page_openapi_json_start[];
extern const char _binary_server_page_openapi_json_end[];

static void reply_state(struct http_exchange *exchange, const char *state) {
  cJSON *root = cJSON_CreateObject();
  cJSON_AddStringToObject(root, "status", state);
  reply_json(exchange, 200, root);
}

void route_live(struct routes *routes, struct http_exchange *exchange, const char *model) {
  (void)routes, (void)model;
  reply_state(exchange, "live");
}

bool routes_ready(const struct routes *routes, struct problem *problem) {
  const char *state = routes_state(routes);
  if (strcmp(state, "ready") == 0)
    return true;
  if (strcmp(state, "draining") == 0)
    problem_of_kind(problem, PROBLEM_DRAINING, "", "Requests under way are being finished.");
  else if (strcmp(state, "loading") == 0)
    problem_of_kind(problem, PROBLEM_MODEL_LOADING, "", "Models are being loaded.");
  else
    problem_of_kind(problem, PROBLEM_MODEL_NOT_READY, "",
                    "No model could be loaded; GET /v1/models says why.");
  return false;
}

void route_ready(struct routes *routes, struct http_exchange *exchange, const char *model) {
  (void)model;
  struct problem problem;
  if (routes_ready(routes, &problem))
    reply_state(exchange, "ready");
  else
    http_reply_problem(exchange, &problem, NULL);
}

static void add_size(cJSON *object, const char *name, size_t number) {
  cJSON_AddNumberToObject(object, name, (double)number);
}

static void add_models(cJSON *root, const struct routes *routes) {
  const struct registry *registry = routes->registry;
  cJSON *models = cJSON_AddArrayToObject(root, "models");
  for (size_t i = 0; i < registry_count(registry); i++) {
    const struct served_model *served = registry_at(registry, i);
    cJSON *model = cJSON_CreateObject();
    cJSON_AddStringToObject(model, "name", served->name);
    cJSON_AddStringToObject(model, "state", model_state_name(served->state));
    if (served->model != NULL) {
      add_size(model, "bytes", registry_card(served)->bytes);
      add_size(model, "requests", registry_users(served));
      cJSON_AddNumberToObject(model, "idle_s", registry_idle_seconds(served));
    }
    cJSON_AddBoolToObject(model, "pinned", served->pinned);
    add_size(model, "queued_structures",
             predictor_load_of(routes->predictor, served).queued_structures);
    if (served->state == MODEL_FAILED)
      cJSON_AddStringToObject(model, "error", served->error.detail);
    tree_append(models, model);
  }
}

/* Time by operation, of all threads together. */
static void add_profile(cJSON *root, const struct profile_totals *totals) {
  if (totals->n_totals == 0)
    return;
  cJSON *profile = cJSON_AddArrayToObject(root, "profile");
  for (size_t i = 0; i < totals->n_totals; i++) {
    const struct profile_total *total = &totals->totals[i];
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "model", total->model);
    cJSON_AddStringToObject(item, "operation", total->item.operation);
    cJSON_AddStringToObject(item, "pass", total->item.adjoint ? "adjoint" : "forward");
    cJSON_AddNumberToObject(item, "seconds", total->item.seconds);
    cJSON_AddNumberToObject(item, "share",
                            total->item.seconds / profile_totals_seconds(totals, total->model));
    tree_append(profile, item);
  }
}

static void add_limits(cJSON *root, const struct config *config) {
  cJSON *limits = cJSON_AddObjectToObject(root, "limits");
  add_size(limits, "max_body_bytes", config->max_body_bytes);
  add_size(limits, "max_structures", config->max_structures);
  add_size(limits, "max_atoms", config->max_atoms);
  add_size(limits, "max_queue", config->max_queue);
  add_size(limits, "max_queue_atoms", config->max_queue_atoms);
  add_size(limits, "max_batch_bytes", config->max_batch_bytes);
  add_size(limits, "max_batch_ms", config->max_batch_ms);
  add_size(limits, "max_connections", config->max_connections);
}

void route_status(struct routes *routes, struct http_exchange *exchange, const char *model) {
  (void)model;
  const struct predict_load load = predictor_load(routes->predictor);
  cJSON *root = cJSON_CreateObject();
  cJSON_AddStringToObject(root, "state", routes_state(routes));
  cJSON_AddStringToObject(root, "version", IRREPD_VERSION);
  cJSON_AddStringToObject(root, "libuv", uv_version_string());
  cJSON_AddNumberToObject(root, "uptime_s", (double)(uv_hrtime() - routes->started_ns) * 1e-9);
  add_models(root, routes);
  cJSON *queue = cJSON_AddObjectToObject(root, "queue");
  add_size(queue, "structures", load.queued_structures);
  add_size(queue, "atoms", load.queued_atoms);
  cJSON_AddNumberToObject(queue, "seconds", load.queued_seconds);
  cJSON *workers = cJSON_AddObjectToObject(root, "workers");
  add_size(workers, "count", load.workers);
  add_size(workers, "idle", load.workers_idle);
  add_size(root, "batches_running", load.batches_running);
  cJSON *memory = cJSON_AddObjectToObject(root, "memory");
  add_size(memory, "planned_bytes", load.planned_bytes);
  add_size(memory, "budget_bytes", routes->config->memory_budget);
  add_size(memory, "model_bytes", registry_bytes(routes->registry));
  add_size(memory, "model_budget_bytes", routes->config->model_budget);
  add_size(root, "connections", routes->http == NULL ? 0 : http_connections(routes->http));
  add_limits(root, routes->config);
  add_profile(root, predictor_profile(routes->predictor));
  reply_json(exchange, 200, root);
}

void route_metrics(struct routes *routes, struct http_exchange *exchange, const char *model) {
  (void)model;
  size_t size = 0;
  char *text = metrics_render(routes->metrics, &size);
  reply_text(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", text, size);
}

void route_openapi(struct routes *routes, struct http_exchange *exchange, const char *model) {
  (void)routes, (void)model;
  const size_t size =
      (size_t)(_binary_server_page_openapi_json_end - _binary_server_page_openapi_json_start);
  char *text = malloc(size + 1);
  if (text != NULL)
    memcpy(text, _binary_server_page_openapi_json_start, size);
  reply_text(exchange, 200, "application/json", text, size);
}
