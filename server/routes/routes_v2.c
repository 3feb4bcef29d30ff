/* The Open Inference Protocol (KServe v2) below /v2: health, metadata, inference. */
#include "irrep/outputs.h"
#include "irrep/version.h"
#include "server/base/problem_kinds.h"
#include "server/codec/answer_kserve.h"
#include "server/routes/routes.h"

#include <stdio.h>
#include <string.h>

static void reply_flag(struct http_exchange *exchange, const char *model, const char *name) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  if (model != NULL)
    json_put_string(&w, "name", model);
  json_put_bool(&w, name, true);
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}

void route_v2(struct services *services, struct http_exchange *exchange, const char *model) {
  static const char *const extensions[] = {"binary_tensor_data", "model_configuration",
                                           "model_repository", "statistics"};
  (void)services, (void)model;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_put_string(&w, "name", "irrepd");
  json_put_string(&w, "version", IRREP_VERSION);
  json_open_array(&w, "extensions");
  for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
    json_put_string(&w, NULL, extensions[i]);
  json_close_array(&w);
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}

void route_v2_live(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)services, (void)model;
  reply_flag(exchange, NULL, "live");
}

void route_v2_ready(struct services *services, struct http_exchange *exchange, const char *model) {
  struct problem problem;
  (void)model;
  if (routes_ready(services, &problem))
    reply_flag(exchange, NULL, "ready");
  else
    http_reply_problem(exchange, &problem, NULL);
}

/* A model that is loaded when it is asked for is ready: inference answers. */
void route_v2_model_ready(struct services *services, struct http_exchange *exchange,
                          const char *model) {
  const struct served_model *served = registry_find(services->registry, model);
  struct problem problem;
  if (!served) {
    reply_unknown_model(services, exchange, model);
  } else if (services->draining) {
    problem_of_kind(&problem, PROBLEM_DRAINING, "", "Requests under way are being finished.");
    http_reply_problem(exchange, &problem, NULL);
  } else if (served->state == MODEL_READY || served->state == MODEL_UNLOADED) {
    reply_flag(exchange, served->name, "ready");
  } else {
    const bool loading = served->state == MODEL_LOADING;
    problem_of_kind(&problem, loading ? PROBLEM_MODEL_LOADING : PROBLEM_MODEL_NOT_READY, "",
                    "The model is %s.", loading ? "being loaded" : "not one that could be loaded");
    http_reply_problem(exchange, &problem, NULL);
  }
}

#define SHAPE_MAX (1 + IRREP_OUTPUT_DIMS_MAX)

struct tensor {
  const char *name, *datatype;
  int shape[SHAPE_MAX]; /* -1: any; 0: no such dimension */
};

/* As the protocol's metadata has them, or Triton's model configuration. */
enum manner { METADATA, CONFIGURATION };

static void put_tensor(struct json_writer *w, const struct tensor *tensor, enum manner manner) {
  char type[16];
  json_open_object(w, NULL);
  json_put_string(w, "name", tensor->name);
  snprintf(type, sizeof type, "%s%s", manner == METADATA ? "" : "TYPE_", tensor->datatype);
  json_put_string(w, manner == METADATA ? "datatype" : "data_type", type);
  json_open_array(w, manner == METADATA ? "shape" : "dims");
  for (size_t k = 0; k < SHAPE_MAX && tensor->shape[k] != 0; k++)
    json_put_integer(w, NULL, tensor->shape[k]);
  json_close_array(w);
  json_close_object(w);
}

static void put_inputs(struct json_writer *w, enum manner manner) {
  static const struct tensor inputs[] = {{"n_atoms", "INT32", {-1}},
                                         {"numbers", "INT32", {-1}},
                                         {"positions", "FP64", {-1, 3}},
                                         {"cell", "FP64", {-1, 3, 3}},
                                         {"pbc", "BOOL", {-1, 3}}};
  json_open_array(w, manner == METADATA ? "inputs" : "input");
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
    put_tensor(w, &inputs[i], manner);
  json_close_array(w);
}

/* card: NULL where the model is not loaded, and what only some models give is not known of it. */
static void put_outputs(struct json_writer *w, enum manner manner, const struct irrep_card *card) {
  const struct irrep_output *output;
  json_open_array(w, manner == METADATA ? "outputs" : "output");
  for (size_t i = 0; (output = irrep_output_at(i)); i++) {
    struct tensor row = {output->name, "FP64", {-1}};
    if (card ? !irrep_output_is_of(output, card) : output->bit == 1u << IRREP_OUTPUT_DIPOLE)
      continue;
    for (size_t k = 0; k < output->n_dims; k++)
      row.shape[1 + k] = output->columns > 0 ? (int)output->dims[k] : -1;
    put_tensor(w, &row, manner);
  }
  put_tensor(w, &(struct tensor){"status", "INT32", {-1}}, manner);
  json_close_array(w);
}

void route_v2_model(struct services *services, struct http_exchange *exchange, const char *model) {
  const struct served_model *served = registry_find(services->registry, model);
  if (!served) {
    reply_unknown_model(services, exchange, model);
    return;
  }
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_put_string(&w, "name", served->name);
  json_open_array(&w, "versions");
  json_put_string(&w, NULL, KSERVE_VERSION);
  json_close_array(&w);
  json_put_string(&w, "platform", "irrepd");
  put_inputs(&w, METADATA);
  put_outputs(&w, METADATA, registry_card(served));
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}

/* Batches are the daemon's matter: a client's are structures in a row, so that max_batch_size is 0
 * and shapes are whole. */
void route_v2_model_config(struct services *services, struct http_exchange *exchange,
                           const char *model) {
  const struct served_model *served = registry_find(services->registry, model);
  if (!served) {
    reply_unknown_model(services, exchange, model);
    return;
  }
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_put_string(&w, "name", served->name);
  json_put_string(&w, "platform", "irrepd");
  json_put_string(&w, "backend", "irrepd");
  json_put_integer(&w, "max_batch_size", 0);
  put_inputs(&w, CONFIGURATION);
  put_outputs(&w, CONFIGURATION, registry_card(served));
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}

/* The size of the body's JSON part: all of it, without the field. false: that is no such size. */
static bool read_json_size(const struct http_exchange *exchange, size_t *size) {
  const char *at = exchange->inference_header_length;
  *size = exchange->size;
  if (!at)
    return true;
  const size_t digits = strspn(at, "0123456789");
  if (digits == 0 || digits > 15 || at[digits] != '\0')
    return false;
  for (*size = 0; *at != '\0'; at++)
    *size = *size * 10 + (size_t)(*at - '0');
  return *size <= exchange->size;
}

void route_v2_infer(struct services *services, struct http_exchange *exchange, const char *model) {
  struct predict_call call = {.body_format = FORMAT_KSERVE, .answer_format = FORMAT_KSERVE};
  struct problem problem;
  if (read_json_size(exchange, &call.json_size)) {
    if (codec_kserve_wants_hessian(exchange->body, call.json_size))
      routes_infer_hessian(services, exchange, model, call.json_size);
    else
      routes_predict(services, exchange, model, call);
    return;
  }
  problem_of_kind(
      &problem, PROBLEM_MALFORMED_TENSORS, "",
      "Inference-Header-Content-Length is the size of the body's JSON part, which has at "
      "most the %zu bytes of the body.",
      exchange->size);
  http_reply_problem(exchange, &problem, NULL);
}
