/* POST /v1/models/{m}/relax and /md, answered when all has ended, or by a stream of events. */
#define _GNU_SOURCE /* strcasestr */
#include "core/base/arena.h"
#include "server/base/pieces.h"
#include "server/base/problem_kinds.h"
#include "server/codec/answer_json.h"
#include "server/codec/codec_safetensors.h"
#include "server/drivers/trajectory_arrays.h"
#include "server/http/http_text.h"
#include "server/routes/event_stream.h"
#include "server/routes/routes.h"
#include "server/runs/run.h"
#include "server/runs/run_memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The part of max_receiving_bytes that the frames of one answer may take. */
#define FRAMES_PART 4

/* What a frame takes beside its arrays, and a number of 16 or 17 digits with what is around it. */
#define FRAME_SIZE 320
#define NUMBER_SIZE 22

/* The result of a structure as it is written, and its frames. */
struct outcome {
  struct text result, frames;
  struct problem *problem; /* NULL: none */
};

/* A call that the HTTP side waits for. */
struct call {
  struct services *services;
  struct http_exchange *exchange;
  struct run *run;
  char *model;
  bool is_binary;           /* the answer is of arrays */
  struct outcome *outcomes; /* [n_structures] */
  size_t bytes, held;       /* that they take, and hold of the pool */
  size_t n_structures;
};

static void free_call(struct call *call) {
  run_free(call->run);
  run_memory_hold(call->services->runs, &call->held, 0);
  for (size_t i = 0; call->outcomes && i < call->n_structures; i++) {
    text_fini(&call->outcomes[i].result);
    text_fini(&call->outcomes[i].frames);
    free(call->outcomes[i].problem);
  }
  free(call->outcomes);
  free(call->model);
  free(call);
}

static void refuse(struct call *call, const struct problem *problem) {
  call->exchange->gone = NULL;
  http_reply_problem(call->exchange, problem, NULL);
  free_call(call);
}

/* Whether frames find room in one answer; otherwise they are to be streamed. */
static bool frames_fit(const struct call *call, struct problem *problem) {
  const struct trajectory_spec *spec = run_spec(call->run);
  const struct request *request = run_request(call->run);
  const size_t most = call->services->config->max_receiving_bytes / FRAMES_PART;
  const size_t n_arrays = (size_t)__builtin_popcount(spec->properties);
  size_t bytes = 0;
  if (spec->every == 0)
    return true;
  const size_t n_frames = size_add(trajectory_spec_steps(spec) / spec->every, 1);
  for (size_t i = 0; i < request->n_items; i++) {
    const size_t n_numbers = size_mul(3 * n_arrays, request->items[i].structure.n_atoms);
    const size_t frame = size_add(FRAME_SIZE, size_mul(NUMBER_SIZE, n_numbers));
    bytes = size_add(bytes, size_mul(n_frames, frame));
  }
  if (bytes <= most)
    return true;
  problem_set(problem, 422, "too-many-frames", "more frames than one answer holds",
              spec->kind == TRAJECTORY_MD ? "#/md/every" : "#/relax/trajectory",
              "The frames may take %zu bytes, and an answer %zu: ask for fewer, or for a stream "
              "by Accept: application/x-ndjson.",
              bytes, most);
  return false;
}

static void on_begun(void *context, const struct problem *problem) {
  struct call *call = context;
  struct problem found;
  if (!problem && !frames_fit(call, &found))
    problem = &found;
  const size_t n = problem ? 0 : run_request(call->run)->n_items;
  call->outcomes = problem ? NULL : calloc(n, sizeof *call->outcomes);
  call->n_structures = n;
  if (!problem && !call->outcomes)
    problem = problem_of_kind(&found, PROBLEM_NO_MEMORY, "", "There is no memory for the answer.");
  if (problem) {
    found = *problem;
    refuse(call, &found);
  }
}

static void on_event(void *context, const struct run_event *event) {
  struct call *call = context;
  call->bytes += event->size;
  run_memory_hold(call->services->runs, &call->held, call->bytes);
  struct outcome *outcome = &call->outcomes[event->structure];
  if (event->end == TRAJECTORY_RUNS) {
    if (outcome->frames.size > 0 && !call->is_binary)
      text_puts(&outcome->frames, ",");
    text_add(&outcome->frames, event->line, event->size);
    return;
  }
  text_add(&outcome->result, event->line, event->size);
  if (!event->problem)
    return;
  outcome->problem = malloc(sizeof *outcome->problem);
  if (outcome->problem)
    *outcome->problem = *event->problem;
}

/* Closes the elements of results, with the frames that were asked for. */
static bool close_results(struct call *call, bool has_frames) {
  for (size_t i = 0; i < call->n_structures; i++) {
    struct outcome *outcome = &call->outcomes[i];
    if (has_frames) {
      text_puts(&outcome->result, ",\"frames\":[");
      text_add(&outcome->result, outcome->frames.bytes ? outcome->frames.bytes : "",
               outcome->frames.size);
      text_puts(&outcome->result, "]");
      outcome->result.failed = outcome->result.failed || outcome->frames.failed;
      text_fini(&outcome->frames);
    }
    text_puts(&outcome->result, i + 1 < call->n_structures ? "}," : "}]}\n");
    if (outcome->result.failed || outcome->result.size < 4)
      return false;
  }
  return true;
}

static bool write_head(const struct call *call, struct text *head) {
  const struct served_model *served = registry_find(call->services->registry, call->model);
  struct json_writer w = json_writer_over(head);
  answer_json_begin(&w, call->model, served ? served->sha256 : "", call->exchange->request_id,
                    properties_default(), false);
  return !head->failed;
}

/* The answer from where its parts were written, which belong to the pieces then. */
static struct pieces *gather(struct call *call, struct text *head) {
  struct pieces *pieces = pieces_new(call->n_structures + 1, call->n_structures + 1);
  if (!pieces)
    return NULL;
  pieces_add(pieces, head->bytes, head->size);
  pieces_take(pieces, head->bytes);
  *head = (struct text){0};
  for (size_t i = 0; i < call->n_structures; i++) {
    struct text *result = &call->outcomes[i].result;
    pieces_add(pieces, result->bytes, result->size);
    pieces_take(pieces, result->bytes);
    *result = (struct text){0};
  }
  return pieces;
}

/* What the structures have told, in arrays; NULL without memory. */
static char *gather_arrays(const struct call *call, size_t *size) {
  const struct served_model *served = registry_find(call->services->registry, call->model);
  const struct trajectory_spec *spec = run_spec(call->run);
  const struct request *request = run_request(call->run);
  const uint64_t set = trajectory_rows_set(spec, request, true);
  struct trajectory_told *told = calloc(call->n_structures, sizeof *told);
  struct text text = {0};
  bool failed = told == NULL;
  for (size_t i = 0; told && i < call->n_structures; i++) {
    const struct outcome *outcome = &call->outcomes[i];
    const size_t n_atoms = request->items[i].structure.n_atoms;
    told[i].status = outcome->problem ? outcome->problem->status : 0;
    told[i].result = outcome->problem ? NULL : outcome->result.bytes;
    told[i].frames = outcome->frames.bytes;
    told[i].n_frames = outcome->frames.size / (trajectory_rows_size(set, n_atoms) * sizeof(double));
    failed = failed || outcome->frames.failed || (outcome->result.failed && !outcome->problem);
  }
  const struct trajectory_arrays arrays = {.model = call->model,
                                           .sha256 = served ? served->sha256 : "",
                                           .request_id = call->exchange->request_id,
                                           .spec = spec,
                                           .request = request,
                                           .told = told};
  if (!failed)
    trajectory_arrays_write(&text, &arrays);
  free(told);
  return failed ? NULL : text_take(&text, size);
}

static void answer_arrays(struct call *call) {
  struct http_reply reply = {.status = 200, .content_type = SAFETENSORS_TYPE};
  struct problem problem;
  reply.body = gather_arrays(call, &reply.size);
  if (!reply.body) {
    refuse(call,
           problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the answer."));
    return;
  }
  call->exchange->gone = NULL;
  http_reply(call->exchange, &reply);
  free_call(call);
}

static void answer(struct call *call) {
  struct text head = {0};
  struct problem problem;
  struct pieces *pieces = NULL;
  if (write_head(call, &head) && close_results(call, run_spec(call->run)->every > 0))
    pieces = gather(call, &head);
  text_fini(&head);
  if (!pieces) {
    refuse(call,
           problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the answer."));
    return;
  }
  struct http_reply reply = {
      .status = 200, .content_type = "application/json", .pieces = pieces, .size = pieces->size};
  call->exchange->gone = NULL;
  http_reply(call->exchange, &reply);
  free_call(call);
}

static void on_ended(void *context, const struct problem *problem) {
  struct call *call = context;
  const struct problem *only = call->n_structures == 1 ? call->outcomes[0].problem : NULL;
  const struct problem *whole = problem ? problem : only;
  if (whole) {
    const struct problem found = *whole;
    refuse(call, &found);
    return;
  }
  (call->is_binary ? answer_arrays : answer)(call);
}

static void on_quiet(void *context) {
  (void)context; /* nobody holds it */
}

static void on_gone(void *context) {
  metrics_request_cancelled(((struct call *)context)->services->metrics, "disconnect");
  free_call(context);
}

static void begin_call(struct services *services, struct http_exchange *exchange,
                       struct run_call *run_call) {
  struct call *call = calloc(1, sizeof *call);
  char *model = call ? strdup(run_call->model) : NULL;
  if (!model) {
    free(call);
    reply_no_memory(exchange);
    return;
  }
  run_call->form = routes_answer_is_binary(exchange) ? TRAJECTORY_ROWS : TRAJECTORY_PLAIN;
  *call = (struct call){.services = services,
                        .exchange = exchange,
                        .model = model,
                        .is_binary = run_call->form == TRAJECTORY_ROWS};
  run_call->owner = (struct run_owner){on_begun, on_event, on_quiet, on_ended, NULL, call};
  run_call->body = http_take_body(exchange);
  run_call->size = exchange->size;
  exchange->gone = on_gone;
  exchange->gone_context = call;
  call->run = run_new(services->runs, run_call);
  if (call->run)
    return;
  free_call(call);
  reply_no_memory(exchange);
}

/* Who names the stream's media type is given one. */
static bool wants_stream(const struct http_exchange *exchange) {
  return exchange->accept && strcasestr(exchange->accept, "x-ndjson") &&
         http_accepts(exchange->accept, "application", "x-ndjson");
}

/* RFC 7240: a list of preferences, of which some have values. */
static bool prefers_async(const char *prefer) {
  static const char word[] = "respond-async";
  const char *at = prefer;
  while (at && *at != '\0') {
    at += strspn(at, " \t,");
    const size_t n = strcspn(at, " \t,;=");
    if (n == sizeof word - 1 && strncasecmp(at, word, n) == 0)
      return true;
    at += strcspn(at, ",");
  }
  return false;
}

static void begin(struct services *services, struct http_exchange *exchange, const char *model,
                  enum trajectory_kind kind) {
  struct problem problem;
  struct run_call call = {.kind = kind,
                          .model = model,
                          .client = exchange->client,
                          .format = routes_body_is_binary(exchange) ? TRAJECTORY_SAFETENSORS
                                                                    : TRAJECTORY_JSON};
  if (!registry_find(services->registry, model))
    reply_unknown_model(services, exchange, model);
  else if (services->draining)
    http_reply_problem(exchange,
                       problem_of_kind(&problem, PROBLEM_DRAINING, "",
                                       "The server finishes what it has accepted."),
                       NULL);
  else if (prefers_async(exchange->prefer))
    routes_begin_job(services, exchange, model, kind);
  else if (wants_stream(exchange))
    event_stream_begin(services->runs, exchange, &call);
  else
    begin_call(services, exchange, &call);
}

void route_relax(struct services *services, struct http_exchange *exchange, const char *model) {
  begin(services, exchange, model, TRAJECTORY_RELAX);
}

void route_md(struct services *services, struct http_exchange *exchange, const char *model) {
  begin(services, exchange, model, TRAJECTORY_MD);
}
