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

void route_live(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)services, (void)model;
  reply_state(exchange, "live");
}

bool routes_ready(const struct services *services, struct problem *problem) {
  const char *state = routes_state(services);
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

void route_ready(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  struct problem problem;
  if (routes_ready(services, &problem))
    reply_state(exchange, "ready");
  else
    http_reply_problem(exchange, &problem, NULL);
}

static void add_size(cJSON *object, const char *name, size_t number) {
  cJSON_AddNumberToObject(object, name, (double)number);
}

static void add_models(cJSON *root, const struct services *services) {
  const struct registry *registry = services->registry;
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
             predictor_stats_of(services->predictor, served).queued_structures);
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

void route_status(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  const struct predictor_stats stats = predictor_stats(services->predictor);
  cJSON *root = cJSON_CreateObject();
  cJSON_AddStringToObject(root, "state", routes_state(services));
  cJSON_AddStringToObject(root, "version", IRREPD_VERSION);
  cJSON_AddStringToObject(root, "libuv", uv_version_string());
  cJSON_AddNumberToObject(root, "uptime_s", (double)(uv_hrtime() - services->started_ns) * 1e-9);
  add_models(root, services);
  cJSON *queue = cJSON_AddObjectToObject(root, "queue");
  add_size(queue, "structures", stats.queued_structures);
  add_size(queue, "atoms", stats.queued_atoms);
  cJSON_AddNumberToObject(queue, "seconds", stats.queued_seconds);
  cJSON *workers = cJSON_AddObjectToObject(root, "workers");
  add_size(workers, "count", stats.workers);
  add_size(workers, "idle", stats.workers_idle);
  add_size(root, "batches_running", stats.batches_running);
  cJSON *memory = cJSON_AddObjectToObject(root, "memory");
  add_size(memory, "planned_bytes", stats.planned_bytes);
  add_size(memory, "budget_bytes", services->config->memory_budget);
  add_size(memory, "model_bytes", registry_bytes(services->registry));
  add_size(memory, "model_budget_bytes", services->config->model_budget);
  add_size(root, "connections", services->http == NULL ? 0 : http_connections(services->http));
  add_limits(root, services->config);
  add_profile(root, predictor_profile(services->predictor));
  reply_json(exchange, 200, root);
}

void route_metrics(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  size_t size = 0;
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
