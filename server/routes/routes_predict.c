#include "server/base/problem_kinds.h"
#include "server/routes/routes.h"

#include <stdlib.h>

/* One predict call that the HTTP side waits for. */
struct call {
  struct http_exchange *exchange;
  struct predict_job *job;
};

static void on_done(void *context, struct reply *reply) {
  struct call *call = context;
  struct http_reply answer = {.status = reply->status,
                              .content_type = reply->content_type,
                              .body = reply->body,
                              .size = reply->size,
                              .pieces = reply->pieces,
                              .inference_header_size = reply->json_size,
                              .retry_after_s = reply->retry_after_s};
  http_reply(call->exchange, &answer);
  free(call);
}

static void on_gone(void *context) {
  struct call *call = context;
  predict_cancel(call->job);
  free(call);
}

void routes_predict(struct services *services, struct http_exchange *exchange, const char *model,
                    struct predict_call request) {
  if (!registry_find(services->registry, model)) {
    reply_unknown_model(services, exchange, model);
    return;
  }
  struct call *call = malloc(sizeof *call);
  if (call != NULL) {
    *call = (struct call){.exchange = exchange};
    exchange->gone = on_gone;
    exchange->gone_context = call;
    request.model = model;
    request.body = http_take_body(exchange);
    request.size = exchange->size;
    request.request_id = exchange->request_id;
    request.client = exchange->client;
    request.done = on_done;
    request.context = call;
    call->job = predict_call(services->predictor, &request);
  }
  if (!call || !call->job) {
    struct problem problem;
    exchange->gone = NULL;
    free(call);
    http_reply_problem(
        exchange,
        problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the request."),
        NULL);
  }
}

static enum predict_format format(bool binary) {
  return binary ? FORMAT_SAFETENSORS : FORMAT_JSON;
}

void route_predict(struct services *services, struct http_exchange *exchange, const char *model) {
  routes_predict(services, exchange, model,
                 (struct predict_call){.body_format = format(routes_body_is_binary(exchange)),
                                       .answer_format = format(routes_answer_is_binary(exchange))});
}

void route_estimate(struct services *services, struct http_exchange *exchange, const char *model) {
  routes_predict(services, exchange, model,
                 (struct predict_call){.body_format = format(routes_body_is_binary(exchange)),
                                       .estimates = true});
}
