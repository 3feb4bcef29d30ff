#include "server/routes/routes.h"

#include "server/base/origins.h"
#include "server/base/problem_kinds.h"
#include "server/codec/answer_kserve.h"
#include "server/codec/codec_safetensors.h"
#include "server/http/coding.h"
#include "server/http/http_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_SEGMENT "{m}"
#define SEGMENT_SIZE 128
#define PATH_SIZE 256

/* Who may use a route when there are keys. */
enum access {
  ACCESS_ANYONE,
  ACCESS_KEY, /* of any scope */
  ACCESS_PREDICT,
  ACCESS_ADMIN /* without keys: whoever is on this machine */
};

struct route {
  const char *path;           /* template, and label of the metrics */
  const char *method;         /* GET stands for HEAD too */
  const char *type, *subtype; /* of the answer; NULL: whatever is accepted */
  route_handler handler;
  enum access access;
};

static const struct route routes_table[] = {
    {"/v1/health/live", "GET", "application", "json", route_live, ACCESS_ANYONE},
    {"/v1/health/ready", "GET", "application", "json", route_ready, ACCESS_ANYONE},
    {"/v1/status", "GET", "application", "json", route_status, ACCESS_KEY},
    {"/metrics", "GET", "text", "plain", route_metrics, ACCESS_KEY},
    {"/openapi.json", "GET", "application", "json", route_openapi, ACCESS_ANYONE},
    {"/", "GET", "text", "html", route_page, ACCESS_ANYONE},
    {"/page/{file}", "GET", NULL, NULL, route_page, ACCESS_ANYONE},
    {"/v1/models", "GET", "application", "json", route_models, ACCESS_KEY},
    {"/v1/models/" MODEL_SEGMENT, "GET", "application", "json", route_model, ACCESS_KEY},
    {"/v1/models/" MODEL_SEGMENT "/predict", "POST", "application", "json", route_predict,
     ACCESS_PREDICT},
    {"/v1/models/" MODEL_SEGMENT "/estimate", "POST", "application", "json", route_estimate,
     ACCESS_PREDICT},
    {"/v1/models/" MODEL_SEGMENT "/relax", "POST", "application", "json", route_relax,
     ACCESS_PREDICT},
    {"/v1/models/" MODEL_SEGMENT "/md", "POST", "application", "json", route_md, ACCESS_PREDICT},
    {"/v1/models/" MODEL_SEGMENT "/hessian", "POST", "application", "json", route_hessian,
     ACCESS_PREDICT},
    {"/v1/models/" MODEL_SEGMENT "/load", "POST", "application", "json", route_load, ACCESS_ADMIN},
    {"/v1/models/" MODEL_SEGMENT "/unload", "POST", "application", "json", route_unload,
     ACCESS_ADMIN},
    {"/v1/jobs", "GET", "application", "json", route_jobs, ACCESS_PREDICT},
    {"/v1/jobs/{id}", "GET", "application", "json", route_job, ACCESS_PREDICT},
    {"/v1/jobs/{id}", "POST", "application", "json", route_job_action, ACCESS_PREDICT},
    {"/v1/jobs/{id}", "DELETE", "application", "json", route_job_delete, ACCESS_PREDICT},
    {"/v1/jobs/{id}/frames", "GET", "application", "x-ndjson", route_job_frames, ACCESS_PREDICT},
    {"/v2", "GET", "application", "json", route_v2, ACCESS_ANYONE},
    {"/v2/health/live", "GET", "application", "json", route_v2_live, ACCESS_ANYONE},
    {"/v2/health/ready", "GET", "application", "json", route_v2_ready, ACCESS_ANYONE},
    {"/v2/models/stats", "GET", "application", "json", route_v2_stats, ACCESS_KEY},
    {"/v2/models/" MODEL_SEGMENT, "GET", "application", "json", route_v2_model, ACCESS_KEY},
    {"/v2/models/" MODEL_SEGMENT "/ready", "GET", "application", "json", route_v2_model_ready,
     ACCESS_KEY},
    {"/v2/models/" MODEL_SEGMENT "/config", "GET", "application", "json", route_v2_model_config,
     ACCESS_KEY},
    {"/v2/models/" MODEL_SEGMENT "/stats", "GET", "application", "json", route_v2_model_stats,
     ACCESS_KEY},
    {"/v2/models/" MODEL_SEGMENT "/infer", "POST", "application", "json", route_v2_infer,
     ACCESS_PREDICT},
    {"/v2/repository/index", "POST", "application", "json", route_v2_index, ACCESS_KEY},
    {"/v2/repository/models/" MODEL_SEGMENT "/load", "POST", "application", "json", route_v2_load,
     ACCESS_ADMIN},
    {"/v2/repository/models/" MODEL_SEGMENT "/unload", "POST", "application", "json",
     route_v2_unload, ACCESS_ADMIN},
    {"/v1/sockets", "GET", "application", "json", route_sockets, ACCESS_ADMIN},
    {"/v1/sockets", "POST", "application", "json", route_sockets_add, ACCESS_ADMIN},
};

#define N_ROUTES (sizeof routes_table / sizeof *routes_table)

/* Whether path is an instance of the template; what stands for its {m} or {file} goes into model
 * [SEGMENT_SIZE]. */
static bool path_matches(const char *template, const char *path, char *model) {
  const char *hole = strchr(template, '{');
  if (!hole)
    return strcmp(template, path) == 0;
  const size_t before = (size_t)(hole - template);
  if (strncmp(template, path, before) != 0)
    return false;
  const size_t length = strcspn(path + before, "/");
  if (length == 0 || length >= SEGMENT_SIZE ||
      strcmp(strchr(hole, '}') + 1, path + before + length) != 0)
    return false;
  memcpy(model, path + before, length);
  model[length] = '\0';
  return true;
}

static bool method_matches(const struct route *route, const char *method) {
  return strcmp(route->method, method) == 0 ||
         (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static bool has_method(const char *path, const char *method) {
  for (size_t i = 0; i < N_ROUTES; i++)
    if (strcmp(routes_table[i].path, path) == 0 && strcmp(routes_table[i].method, method) == 0)
      return true;
  return false;
}

/* The methods of all routes with a path. */
static const char *methods_of(const char *path) {
  const bool gets = has_method(path, "GET"), posts = has_method(path, "POST");
  if (has_method(path, "DELETE"))
    return "GET, HEAD, POST, DELETE";
  return !posts ? "GET, HEAD" : gets ? "GET, HEAD, POST" : "POST";
}

static void reply_wrong_method(struct http_exchange *exchange, const struct route *route) {
  struct problem problem;
  const char *allow = methods_of(route->path);
  problem_set(&problem, 405, "method-not-allowed", "method not allowed", "", "%s takes %s.",
              route->path, allow);
  http_reply_problem(exchange, &problem, allow);
}

static bool moves(const struct route *route) {
  return route->handler == route_relax || route->handler == route_md;
}

/* What a route takes beside JSON; NULL: nothing. */
static const char *binary_type(const struct route *route) {
  if (route->handler == route_v2_infer)
    return BYTES_TYPE;
  return route->handler == route_predict || route->handler == route_estimate ||
                 route->handler == route_hessian || moves(route)
             ? SAFETENSORS_TYPE
             : NULL;
}

static bool is_acceptable(const struct http_exchange *exchange, const struct route *route) {
  if (!route->type || http_accepts(exchange->accept, route->type, route->subtype))
    return true;
  if (route->handler == route_v2_infer)
    return http_accepts(exchange->accept, "application", "octet-stream");
  if (moves(route) && http_accepts(exchange->accept, "application", "x-ndjson"))
    return true;
  return (route->handler == route_predict || route->handler == route_hessian || moves(route)) &&
         routes_answer_is_binary(exchange);
}

/* Triton's clients name no type. */
static bool body_fits(const struct http_exchange *exchange, const struct route *route) {
  const char *type = exchange->content_type, *binary = binary_type(route);
  if (!type)
    return strncmp(route->path, "/v2/", 4) == 0;
  return http_media_type_is(type, "application/json") ||
         (binary != NULL && http_media_type_is(type, binary));
}

/* Whether the body's coding was undone, and the answer may go out in one; otherwise answers. */
static bool codings_fit(struct http_exchange *exchange, const struct route *route) {
  const struct http_codings codings = http_codings_of(exchange->accept_encoding);
  struct problem problem;
  if (codings.preferred == CODING_IDENTITY && !codings.identity) {
    problem_set(&problem, 406, "not-acceptable", "no acceptable content coding", "",
                "Answers are sent as they are or in " HTTP_CODINGS
                ", all of which Accept-Encoding excludes.");
    http_reply_problem(exchange, &problem, NULL);
    return false;
  }
  if (strcmp(route->method, "POST") != 0 ||
      http_coding_of(exchange->content_encoding) == CODING_IDENTITY)
    return true;
  problem_set(&problem, 415, "unsupported-content-encoding", "content coding not supported", "",
              "%s takes bodies as they are, or with one Content-Encoding of " HTTP_CODINGS ".",
              route->path);
  const struct http_field field = {"Accept-Encoding", HTTP_CODINGS};
  http_reply_problem_with(exchange, &problem, &field, 1);
  return false;
}

/* Whether the client takes what the route gives and gives what it takes; otherwise answers. */
static bool media_types_fit(struct http_exchange *exchange, const struct route *route) {
  const char *binary = binary_type(route);
  struct problem problem;
  if (!is_acceptable(exchange, route)) {
    problem_set(&problem, 406, "not-acceptable", "no acceptable media type", "",
                "%s gives %s/%s, which Accept excludes.", route->path, route->type, route->subtype);
    http_reply_problem(exchange, &problem, NULL);
    return false;
  }
  if (strcmp(route->method, "POST") != 0 || body_fits(exchange, route))
    return true;
  problem_set(&problem, 415, "unsupported-media-type", "media type not supported", "",
              "%s takes Content-Type: application/json%s%s.", route->path,
              binary != NULL ? " or " : "", binary != NULL ? binary : "");
  http_reply_problem(exchange, &problem, NULL);
  return false;
}

static bool refuse(struct problem *problem, enum problem_kind kind, const char *detail) {
  problem_of_kind(problem, kind, "", "%s", detail);
  return false;
}

/* Without keys, whoever is on this machine administers. Pages that a browser shows cannot, be it
 * under a name that was made to mean this machine: it tells the origin of what they post. Behind a
 * proxy on this machine anybody may be. */
static bool may_without_keys(const struct http_exchange *exchange, enum access access,
                             struct problem *problem) {
  if (access != ACCESS_ADMIN)
    return true;
  if (!exchange->local)
    return refuse(problem, PROBLEM_FORBIDDEN, "This is done from the server's own machine only.");
  if (exchange->origin != NULL)
    return refuse(problem, PROBLEM_FORBIDDEN, "Pages in a browser do this with a key only.");
  if (exchange->forwarded)
    return refuse(problem, PROBLEM_FORBIDDEN, "Through a proxy this is done with a key only.");
  return true;
}

/* A page whose name was made to mean this machine (DNS rebinding) reads and posts as if it were
 * ours. Its name has a dot, which addresses in brackets, localhost and names within a network need
 * not have. */
static bool is_misdirected(const struct services *services, const struct http_exchange *exchange,
                           struct problem *problem) {
  if (services->auth != NULL || !exchange->local || !exchange->host ||
      http_host_is_near(exchange->host) || strcmp(exchange->client, "unix") == 0)
    return false;
  problem_set(problem, 421, "misdirected-request", "not the name of this server", "",
              "Without keys, requests from this machine name it by an address, localhost or a name "
              "without a dot as Host.");
  return true;
}

/* Whether the client's key, if the daemon has keys, admits it; otherwise the problem says why not.
 * A client with a key is known by the key's name from then on. */
static bool may_use(const struct services *services, struct http_exchange *exchange,
                    enum access access, struct problem *problem) {
  if (!services->auth || access == ACCESS_ANYONE)
    return may_without_keys(exchange, access, problem);
  const struct auth_key *key = auth_find(services->auth, exchange->authorization);
  if (!key)
    return refuse(problem, PROBLEM_UNAUTHORIZED, "An API key is due: Authorization: Bearer KEY.");
  if (access == ACCESS_PREDICT && (key->scopes & SCOPE_PREDICT) == 0)
    return refuse(problem, PROBLEM_FORBIDDEN, "This key lacks the scope predict.");
  if (access == ACCESS_ADMIN && (key->scopes & SCOPE_ADMIN) == 0)
    return refuse(problem, PROBLEM_FORBIDDEN, "This key lacks the scope admin.");
  exchange->client = key->name;
  return true;
}

/* Every model below /v2 has one version, "1", which a path may name: /v2/models/{m}/versions/1/...
 * is /v2/models/{m}/... The path without it goes into plain [PATH_SIZE]. */
static const char *without_version(const char *path, char *plain) {
  static const char models[] = "/v2/models/", version[] = "/versions/" KSERVE_VERSION;
  const size_t n_models = sizeof models - 1, n_version = sizeof version - 1;
  if (strncmp(path, models, n_models) != 0)
    return path;
  const char *rest = path + n_models + strcspn(path + n_models, "/");
  if (strncmp(rest, version, n_version) != 0 || (rest[n_version] != '\0' && rest[n_version] != '/'))
    return path;
  const int n = snprintf(plain, PATH_SIZE, "%.*s%s", (int)(rest - path), path, rest + n_version);
  return n < PATH_SIZE ? plain : path;
}

/* The route of a path, that of the method if there is one; NULL: nothing is there. */
static const struct route *find(struct http_exchange *exchange, char *model) {
  const struct route *route = NULL;
  char plain[PATH_SIZE];
  const char *path = without_version(exchange->path, plain);
  for (size_t i = 0; i < N_ROUTES; i++)
    if (path_matches(routes_table[i].path, path, model) &&
        (!route || !method_matches(route, exchange->method)))
      route = &routes_table[i];
  if (route != NULL)
    exchange->route = route->path;
  return route;
}

/* A browser's question before a page of another origin asks; it is answered for the origins that
 * are named, and is no method of the routes otherwise. */
static bool is_preflight(const struct services *services, const struct http_exchange *exchange) {
  return strcmp(exchange->method, "OPTIONS") == 0 &&
         origins_have(services->config->cors_origins, exchange->origin);
}

static void reply_preflight(struct http_exchange *exchange, const struct route *route) {
  const struct http_field fields[] = {
      {"Access-Control-Allow-Methods", methods_of(route->path)},
      {"Access-Control-Allow-Headers",
       "Authorization, Content-Type, Content-Encoding, Accept, Prefer, If-None-Match, "
       "X-Request-Id, Inference-Header-Content-Length"},
      {"Access-Control-Max-Age", "600"}};
  struct http_reply reply = {
      .status = 204, .fields = fields, .n_fields = sizeof fields / sizeof *fields};
  http_reply(exchange, &reply);
}

bool routes_admit(void *context, struct http_exchange *exchange, struct problem *problem) {
  char model[SEGMENT_SIZE];
  const struct route *route = find(exchange, model);
  if (is_misdirected(context, exchange, problem))
    return false;
  return !route || !method_matches(route, exchange->method) ||
         may_use(context, exchange, route->access, problem);
}

void routes_handle(void *context, struct http_exchange *exchange) {
  struct services *services = context;
  struct problem problem;
  char model[SEGMENT_SIZE] = "";
  const struct route *route = find(exchange, model);
  if (is_misdirected(services, exchange, &problem))
    http_reply_problem(exchange, &problem, NULL);
  else if (!route)
    reply_not_found(exchange);
  else if (is_preflight(services, exchange))
    reply_preflight(exchange, route);
  else if (!method_matches(route, exchange->method))
    reply_wrong_method(exchange, route);
  else if (!may_use(services, exchange, route->access, &problem))
    http_reply_problem(exchange, &problem, NULL);
  else if (media_types_fit(exchange, route) && codings_fit(exchange, route))
    route->handler(services, exchange, model);
}
