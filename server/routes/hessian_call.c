#include "server/routes/hessian_call.h"

#include "server/base/ledger.h"
#include "server/base/pieces.h"
#include "server/base/problem_kinds.h"
#include "server/codec/answer_kserve.h"
#include "server/codec/codec_safetensors.h"

#include <stdlib.h>
#include <string.h>

struct hessian_call *hessian_call_of(struct work *work) {
  return (struct hessian_call *)(void *)((char *)work - offsetof(struct hessian_call, work));
}

void hessian_call_end_rows(struct hessian_call *call) {
  hessian_rows_free(call->rows);
  if (call->loaded)
    registry_release(call->loaded);
  ledger_give(predictor_ledger(call->services->predictor), LEDGER_REQUESTS, call->rows_bytes);
  call->rows = NULL;
  call->loaded = NULL;
  call->rows_bytes = 0;
}

void hessian_call_end_structure(struct hessian_call *call) {
  hessian_call_end_rows(call);
  drive_free(call->drive);
  hessian_driver_free(call->driver);
  call->drive = NULL;
  call->driver = NULL;
}

void hessian_call_free(struct hessian_call *call) {
  hessian_call_end_structure(call);
  ledger_give(predictor_ledger(call->services->predictor), LEDGER_REQUESTS, call->bytes);
  for (size_t i = 0; call->numbers && i < call->request.n_items; i++)
    hessian_numbers_fini(&call->numbers[i]);
  free(call->numbers);
  request_fini(&call->request);
  text_fini(&call->results);
  free(call->model);
  free(call->client);
  free(call->request_id);
  free(call->body);
  free(call);
}

void hessian_call_refuse(struct hessian_call *call, const struct problem *problem) {
  const struct problem found = *problem;
  call->exchange->gone = NULL;
  http_reply_problem(call->exchange, &found, NULL);
  hessian_call_free(call);
}

/* Gives the call to a worker, which brings it to `done`, unless the client has gone by then. */
void hessian_call_to_worker(struct hessian_call *call, void (*run)(struct work *, void *, size_t),
                            void (*done)(struct work *)) {
  call->work.run = run;
  call->work.done = done;
  call->is_at_worker = true;
  predict_work(call->services->predictor, &call->work);
}

/* Whether a worker's call is still waited for; otherwise frees it. */
bool hessian_call_is_wanted(struct hessian_call *call) {
  const bool has_gone = !call->exchange;
  call->is_at_worker = false;
  if (has_gone)
    hessian_call_free(call);
  return !has_gone;
}

/* The answer */

void hessian_call_refuse_memory(struct hessian_call *call) {
  struct problem problem;
  hessian_call_refuse(
      call, problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the answer."));
}

static const char *sha256_of(const struct hessian_call *call) {
  const struct served_model *served = registry_find(call->services->registry, call->model);
  return served ? served->sha256 : "";
}

static void answer_json(struct hessian_call *call) {
  struct text head = {0};
  struct json_writer w = json_writer_over(&head);
  answer_hessian_begin(&w, call->model, sha256_of(call), call->exchange->request_id);
  text_puts(&call->results, "]}\n");
  struct pieces *pieces = head.failed || call->results.failed ? NULL : pieces_new(2, 2);
  if (!pieces) {
    text_fini(&head);
    hessian_call_refuse_memory(call);
    return;
  }
  pieces_add(pieces, head.bytes, head.size);
  pieces_add(pieces, call->results.bytes, call->results.size);
  pieces_take(pieces, head.bytes);
  pieces_take(pieces, call->results.bytes);
  call->results = (struct text){0};
  struct http_reply reply = {
      .status = 200, .content_type = "application/json", .pieces = pieces, .size = pieces->size};
  call->exchange->gone = NULL;
  http_reply(call->exchange, &reply);
  hessian_call_free(call);
}

/* All structures, on a worker. */
static void write_arrays(struct work *work, void *arena, size_t bytes) {
  struct hessian_call *call = hessian_call_of(work);
  const struct answer_hessian answer = {.model = call->model,
                                        .sha256 = call->sha256,
                                        .request_id = call->request_id,
                                        .request = &call->request,
                                        .numbers = call->numbers};
  (void)arena, (void)bytes;
  if (call->answer_format == FORMAT_KSERVE)
    call->json_part = answer_hessian_kserve(&call->results, &answer, &call->wish);
  else
    answer_hessian_arrays(&call->results, &answer);
}

static void answer_arrays(struct work *work) {
  struct hessian_call *call = hessian_call_of(work);
  if (!hessian_call_is_wanted(call))
    return;
  struct http_reply reply = {.status = 200, .inference_header_size = call->json_part};
  reply.content_type = call->answer_format != FORMAT_KSERVE ? SAFETENSORS_TYPE
                       : call->json_part > 0                ? BYTES_TYPE
                                                            : "application/json";
  reply.body = text_take(&call->results, &reply.size);
  if (!reply.body) {
    hessian_call_refuse_memory(call);
    return;
  }
  call->exchange->gone = NULL;
  http_reply(call->exchange, &reply);
  hessian_call_free(call);
}

void hessian_call_answer(struct hessian_call *call) {
  if (call->answer_format == FORMAT_JSON) {
    answer_json(call);
    return;
  }
  snprintf(call->sha256, sizeof call->sha256, "%s", sha256_of(call));
  hessian_call_to_worker(call, write_arrays, answer_arrays);
}
