/* What the handlers share: routes.h. */
#include "server/base/problem_kinds.h"
#include "server/codec/codec_safetensors.h"
#include "server/http/http_text.h"
#include "server/models/unknown_model.h"
#include "server/routes/routes.h"

bool routes_body_is_binary(const struct http_exchange *exchange) {
  return exchange->content_type != NULL &&
         http_media_type_is(exchange->content_type, SAFETENSORS_TYPE);
}

bool routes_answer_is_binary(const struct http_exchange *exchange) {
  return routes_body_is_binary(exchange) &&
         http_accepts(exchange->accept, "application", "x-safetensors");
}

void reply_text(struct http_exchange *exchange, int status, const char *content_type, char *text,
                size_t size) {
  if (!text) {
    struct problem problem;
    http_reply_problem(
        exchange,
        problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the answer."),
        NULL);
    return;
  }
  struct http_reply reply = {
      .status = status, .content_type = content_type, .body = text, .size = size};
  http_reply(exchange, &reply);
}

void reply_json(struct http_exchange *exchange, int status, struct text *text) {
  size_t size = 0;
  text_puts(text, "\n"); /* so that a shell's prompt begins a line */
  char *bytes = text_take(text, &size);
  reply_text(exchange, status, "application/json", bytes, size);
}

void reply_not_found(struct http_exchange *exchange) {
  struct problem problem;
  problem_set(&problem, 404, "not-found", "no such path", "",
              "Nothing is served at this path; /openapi.json lists the paths.");
  http_reply_problem(exchange, &problem, NULL);
}

void reply_unknown_model(const struct services *services, struct http_exchange *exchange,
                         const char *model) {
  struct problem problem;
  http_reply_problem(exchange, unknown_model(&problem, services->registry, "", model), NULL);
}

void reply_no_memory(struct http_exchange *exchange) {
  struct problem problem;
  exchange->gone = NULL;
  http_reply_problem(
      exchange,
      problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the request."),
      NULL);
}
