#include "server/base/problem_kinds.h"
#include "server/routes/routes.h"

#include <stdlib.h>
#include <string.h>

/* A load call that waits for its model. */
struct load_call {
  struct load_waiter waiter; /* first */
  struct http_exchange *exchange;
  struct served_model *served;
};

static void on_loaded(struct load_waiter *waiter, struct loaded_model *loaded) {
  struct load_call *call = (struct load_call *)waiter;
  if (loaded != NULL) {
    reply_model_card(call->exchange, call->served);
    registry_release(loaded);
  } else {
    struct problem problem;
    http_reply_problem(call->exchange, problem_of_error(&problem, &call->served->error, ""), NULL);
  }
  free(call);
}

static void on_gone(void *context) {
  struct load_call *call = context;
  registry_leave(&call->waiter);
  free(call);
}

/* Whether the body is empty or {}; otherwise answers. */
static bool body_is_empty(struct http_exchange *exchange) {
  struct problem problem;
  char text[3] = "";
  size_t n = 0;
  for (size_t i = 0; i < exchange->size && n < sizeof text; i++)
    if (!strchr(" \t\r\n", exchange->body[i]) || exchange->body[i] == '\0')
      text[n++] = exchange->body[i];
  if (n == 0 || (n == 2 && memcmp(text, "{}", 2) == 0))
    return true;
  problem_set(&problem, 400, "unknown-key", "unknown key", "",
              "This call takes an empty body or an empty object.");
  http_reply_problem(exchange, &problem, NULL);
  return false;
}

void routes_load(struct services *services, struct http_exchange *exchange,
                 struct served_model *served) {
  struct problem problem;
  if (services->draining) {
    problem_of_kind(&problem, PROBLEM_DRAINING, "", "Requests under way are being finished.");
    http_reply_problem(exchange, &problem, NULL);
    return;
  }
  if (registry_is_current(served)) {
    reply_model_card(exchange, served);
    return;
  }
  struct load_call *call = calloc(1, sizeof *call);
  if (!call) {
    problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the request.");
    http_reply_problem(exchange, &problem, NULL);
    return;
  }
  *call =
      (struct load_call){.waiter = {.loaded = on_loaded}, .exchange = exchange, .served = served};
  exchange->gone = on_gone;
  exchange->gone_context = call;
  registry_wait(served, &call->waiter);
}

void routes_unload(struct http_exchange *exchange, struct served_model *served) {
  registry_unload(served);
  reply_model_card(exchange, served);
}

void route_load(struct services *services, struct http_exchange *exchange, const char *model) {
  struct served_model *served = registry_find(services->registry, model);
  if (!served)
    reply_unknown_model(services, exchange, model);
  else if (body_is_empty(exchange))
    routes_load(services, exchange, served);
}

void route_unload(struct services *services, struct http_exchange *exchange, const char *model) {
  struct served_model *served = registry_find(services->registry, model);
  if (!served)
    reply_unknown_model(services, exchange, model);
  else if (body_is_empty(exchange))
    routes_unload(exchange, served);
}
