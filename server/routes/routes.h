/* The paths of openapi.json: from a complete request to its answer. Used on the loop thread. */
#ifndef SERVER_ROUTES_ROUTES_H
#define SERVER_ROUTES_ROUTES_H

#include "core/base/json_writer.h"
#include "server/base/config.h"
#include "server/base/metrics.h"
#include "server/codec/codec_trajectory.h"
#include "server/http/auth.h"
#include "server/http/http.h"
#include "server/jobs/predict.h"
#include "server/models/registry.h"

#include <stdbool.h>
#include <stdint.h>

struct sockets;
struct run_pool;
struct kept_runs;

/* What the routes look at; nothing is owned. */
struct services {
  const struct config *config;
  struct registry *registry;
  struct predictor *predictor;
  struct metrics *metrics;
  struct http_server *http; /* NULL before it has started */
  struct sockets *sockets;
  struct run_pool *runs;
  struct kept_runs *jobs;
  const struct auth *auth; /* NULL: no keys */
  const char *blas;        /* who multiplies matrices */
  uint64_t started_ns;     /* uv_hrtime */
  bool draining;
};

/* The handler for http_options: context is a struct services. Answers every exchange, or keeps it
 * until predict has. */
void routes_handle(void *context, struct http_exchange *exchange);

/* The same's admits: whether the key, if keys are due, allows what is asked for. */
bool routes_admit(void *context, struct http_exchange *exchange, struct problem *problem);

/* "ready", "loading", "draining", or "failed" when no model is ready and none is loading. */
const char *routes_state(const struct services *services);

/* The handlers behind routes_handle; model is the path's {m}, decoded, or NULL; id its {id}.
 * route_page's is a file's name instead, "" for the page itself. */
typedef void (*route_handler)(struct services *services, struct http_exchange *exchange,
                              const char *model);
void route_live(struct services *services, struct http_exchange *exchange, const char *model);
void route_ready(struct services *services, struct http_exchange *exchange, const char *model);
void route_status(struct services *services, struct http_exchange *exchange, const char *model);
void route_metrics(struct services *services, struct http_exchange *exchange, const char *model);
void route_openapi(struct services *services, struct http_exchange *exchange, const char *model);
void route_page(struct services *services, struct http_exchange *exchange, const char *model);
void route_models(struct services *services, struct http_exchange *exchange, const char *model);
void route_model(struct services *services, struct http_exchange *exchange, const char *model);
void route_load(struct services *services, struct http_exchange *exchange, const char *model);
void route_unload(struct services *services, struct http_exchange *exchange, const char *model);
void route_estimate(struct services *services, struct http_exchange *exchange, const char *model);
void route_sockets(struct services *services, struct http_exchange *exchange, const char *model);
void route_sockets_add(struct services *services, struct http_exchange *exchange,
                       const char *model);
void route_predict(struct services *services, struct http_exchange *exchange, const char *model);
void route_relax(struct services *services, struct http_exchange *exchange, const char *model);
void route_hessian(struct services *services, struct http_exchange *exchange, const char *model);
void route_md(struct services *services, struct http_exchange *exchange, const char *model);
void route_jobs(struct services *services, struct http_exchange *exchange, const char *model);
void route_job(struct services *services, struct http_exchange *exchange, const char *id);
void route_job_action(struct services *services, struct http_exchange *exchange, const char *id);
void route_job_delete(struct services *services, struct http_exchange *exchange, const char *id);
void route_job_frames(struct services *services, struct http_exchange *exchange, const char *id);
void route_v2(struct services *services, struct http_exchange *exchange, const char *model);
void route_v2_live(struct services *services, struct http_exchange *exchange, const char *model);
void route_v2_ready(struct services *services, struct http_exchange *exchange, const char *model);
void route_v2_model(struct services *services, struct http_exchange *exchange, const char *model);
void route_v2_model_ready(struct services *services, struct http_exchange *exchange,
                          const char *model);
void route_v2_model_config(struct services *services, struct http_exchange *exchange,
                           const char *model);
void route_v2_stats(struct services *services, struct http_exchange *exchange, const char *model);
void route_v2_model_stats(struct services *services, struct http_exchange *exchange,
                          const char *model);
void route_v2_index(struct services *services, struct http_exchange *exchange, const char *model);
void route_v2_load(struct services *services, struct http_exchange *exchange, const char *model);
void route_v2_unload(struct services *services, struct http_exchange *exchange, const char *model);
void route_v2_infer(struct services *services, struct http_exchange *exchange, const char *model);

/* Begins a predict call with the formats and estimates of request, the rest of which is filled in
 * from the exchange; answers when it is done. */
void routes_predict(struct services *services, struct http_exchange *exchange, const char *model,
                    struct predict_call request);

/* Answers a call of inference that asks for outputs of a Hessian. */
void routes_infer_hessian(struct services *services, struct http_exchange *exchange,
                          const char *model, size_t json_size);

/* Begins a job of the exchange's body, and answers when it is kept. */
void routes_begin_job(struct services *services, struct http_exchange *exchange, const char *model,
                      enum trajectory_kind kind);

/* Loads or unloads a model, and answers with its card. */
void routes_load(struct services *services, struct http_exchange *exchange,
                 struct served_model *served);
void routes_unload(struct http_exchange *exchange, struct served_model *served);

/* Whether the daemon is ready; otherwise the problem says why not. */
bool routes_ready(const struct services *services, struct problem *problem);

/* Whether a request's body is application/x-safetensors, and whether its answer is to be. */
bool routes_body_is_binary(const struct http_exchange *exchange);
bool routes_answer_is_binary(const struct http_exchange *exchange);

/* Answers with a text, which is taken; with a 503 where it is NULL, or has failed. */
void reply_text(struct http_exchange *exchange, int status, const char *content_type, char *text,
                size_t size);
void reply_json(struct http_exchange *exchange, int status, struct text *text);

/* Answers with what is known of a model, as GET /v1/models/{m} gives it. */
void reply_model_card(struct http_exchange *exchange, const struct served_model *served);

/* Answers 404 for a path without a route. */
void reply_not_found(struct http_exchange *exchange);

/* Answers 404 for a model that is not served, with the name of one that is and may be meant. */
void reply_unknown_model(const struct services *services, struct http_exchange *exchange,
                         const char *model);

/* A handler that has found no memory: nobody is told any more when the client leaves. */
void reply_no_memory(struct http_exchange *exchange);

#endif
