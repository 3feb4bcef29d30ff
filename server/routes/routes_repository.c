/* Triton's extensions of the Open Inference Protocol that its clients use: the repository's index,
 * load and unload, and statistics. */
#include "server/codec/answer_kserve.h"
#include "server/codec/codec_reader.h"
#include "server/routes/routes.h"

#include <string.h>

/* Bodies */

/* Reads an object of a single member, which is false or true and may be missing. name: NULL: of
 * none. */
static void read_flag(struct json_reader *json, const char *name, const char *base, bool *flag,
                      struct codec_fault *fault) {
  const size_t n = name ? 1 : 0;
  uint32_t seen = 0;
  if (json_peek(json) != JSON_OBJECT) {
    codec_fault_set(fault, PROBLEM_WRONG_VALUE, "an object is due", "%s", base);
    json_skip(json);
    return;
  }
  json_object_begin(json);
  while (codec_next_member(json, &name, n, &seen, base, fault) < n) {
    if (json_peek(json) == JSON_BOOL) {
      json_bool(json, flag);
      continue;
    }
    codec_fault_set(fault, PROBLEM_WRONG_VALUE, "true or false is due", "%s/%s", base, name);
    json_skip(json);
  }
}

/* The same as the body's member "parameters", which may be missing too. */
static void read_parameters(struct json_reader *json, const char *name, bool *flag,
                            struct codec_fault *fault) {
  static const char *const members[] = {"parameters"};
  uint32_t seen = 0;
  if (json_peek(json) != JSON_OBJECT) {
    codec_fault_set(fault, PROBLEM_WRONG_VALUE, "an object is due", "#");
    json_skip(json);
    return;
  }
  json_object_begin(json);
  while (codec_next_member(json, members, 1, &seen, "#", fault) == 0)
    read_flag(json, name, "#/parameters", flag, fault);
}

/* Reads a body, which may be missing, in one of the two ways; otherwise answers. */
static bool read_body(struct http_exchange *exchange, bool has_parameters, const char *name,
                      bool *flag) {
  struct json_reader json = codec_reader(exchange->body ? exchange->body : "", exchange->size);
  struct codec_fault fault = {0};
  struct problem problem;
  *flag = false;
  if (exchange->size == 0)
    return true;
  if (has_parameters)
    read_parameters(&json, name, flag, &fault);
  else
    read_flag(&json, name, "#", flag, &fault);
  if (!json_end(&json))
    codec_malformed(&json, &problem);
  else if (fault.is_set)
    codec_fault_tell(&fault, &problem);
  else
    return true;
  http_reply_problem(exchange, &problem, NULL);
  return false;
}

/* The repository */

/* A model that is loaded when it is asked for is no less ready. */
static const char *triton_state(const struct served_model *served) {
  switch (served->state) {
  case MODEL_LOADING:
    return "LOADING";
  case MODEL_FAILED:
    return "UNAVAILABLE";
  default:
    return "READY";
  }
}

static const char *reason_of(const struct served_model *served) {
  if (served->state == MODEL_FAILED)
    return served->error.detail;
  return served->state == MODEL_UNLOADED ? "loaded when it is asked for" : "";
}

void route_v2_index(struct services *services, struct http_exchange *exchange, const char *model) {
  bool ready_alone;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  (void)model;
  if (!read_body(exchange, false, "ready", &ready_alone))
    return;
  json_open_array(&w, NULL);
  for (size_t i = 0; i < registry_count(services->registry); i++) {
    const struct served_model *served = registry_at(services->registry, i);
    const char *state = triton_state(served);
    if (ready_alone && strcmp(state, "READY") != 0)
      continue;
    json_open_object(&w, NULL);
    json_put_string(&w, "name", served->name);
    json_put_string(&w, "version", KSERVE_VERSION);
    json_put_string(&w, "state", state);
    json_put_string(&w, "reason", reason_of(served));
    json_close_object(&w);
  }
  json_close_array(&w);
  reply_json(exchange, 200, &text);
}

/* Models are what their files say: a configuration or files in the body are refused. */
void route_v2_load(struct services *services, struct http_exchange *exchange, const char *model) {
  struct served_model *served = registry_find(services->registry, model);
  bool none;
  if (!served)
    reply_unknown_model(services, exchange, model);
  else if (read_body(exchange, true, NULL, &none))
    routes_load(services, exchange, served);
}

/* No model depends on another. */
void route_v2_unload(struct services *services, struct http_exchange *exchange, const char *model) {
  struct served_model *served = registry_find(services->registry, model);
  bool dependents;
  if (!served)
    reply_unknown_model(services, exchange, model);
  else if (read_body(exchange, true, "unload_dependents", &dependents))
    routes_unload(exchange, served);
}

/* Statistics */

static void put_times(struct json_writer *w, const char *name, struct metrics_times times) {
  json_open_object(w, name);
  json_put_integer(w, "count", (int64_t)times.n);
  json_put_integer(w, "ns", (int64_t)(times.seconds * 1e9));
  json_close_object(w);
}

static void put_statistics(struct json_writer *w, struct services *services, const char *model) {
  const struct metrics_inference m = metrics_inference(services->metrics, model);
  const double seconds = m.queue.seconds + m.input.seconds + m.evaluate.seconds + m.output.seconds;
  json_open_object(w, NULL);
  json_put_string(w, "name", model);
  json_put_string(w, "version", KSERVE_VERSION);
  json_put_integer(w, "inference_count", (int64_t)m.n_ok);
  json_put_integer(w, "execution_count", (int64_t)m.n_batches);
  json_open_object(w, "inference_stats");
  put_times(w, "success", (struct metrics_times){m.n_ok, seconds});
  put_times(w, "fail", (struct metrics_times){m.n_failed, 0});
  put_times(w, "queue", m.queue);
  put_times(w, "compute_input", m.input);
  put_times(w, "compute_infer", m.evaluate);
  put_times(w, "compute_output", m.output);
  json_close_object(w);
  json_close_object(w);
}

void route_v2_stats(struct services *services, struct http_exchange *exchange, const char *model) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  (void)model;
  json_open_object(&w, NULL);
  json_open_array(&w, "model_stats");
  for (size_t i = 0; i < registry_count(services->registry); i++)
    put_statistics(&w, services, registry_at(services->registry, i)->name);
  json_close_array(&w);
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}

void route_v2_model_stats(struct services *services, struct http_exchange *exchange,
                          const char *model) {
  const struct served_model *served = registry_find(services->registry, model);
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  if (!served) {
    reply_unknown_model(services, exchange, model);
    return;
  }
  json_open_object(&w, NULL);
  json_open_array(&w, "model_stats");
  put_statistics(&w, services, served->name);
  json_close_array(&w);
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}
