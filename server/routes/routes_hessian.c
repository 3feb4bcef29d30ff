/* POST /v1/models/{m}/hessian, and /v2/models/{m}/infer with outputs of a Hessian: second
 * derivatives and normal modes. Structures of a call come one after the other, the displaced copies
 * of each by a driver, in batches with everybody's; what follows when all forces are there, a
 * worker does. */
#include "core/base/arena.h"
#include "server/base/ledger.h"
#include "server/base/pieces.h"
#include "server/base/problem_kinds.h"
#include "server/codec/answer_hessian.h"
#include "server/codec/answer_json.h"
#include "server/codec/answer_kserve.h"
#include "server/codec/codec_safetensors.h"
#include "server/codec/properties.h"
#include "server/compute/worker.h"
#include "server/drivers/hessian_driver.h"
#include "server/jobs/drive.h"
#include "server/routes/routes.h"
#include "server/runs/run.h"

#include <stdlib.h>
#include <string.h>

/* Larger bodies are read on a worker. */
#define READ_ON_LOOP_BYTES ((size_t)256 << 10)

/* Displaced structures that are asked for at once, but no more than a quarter of the queue. */
#define AT_ONCE 64

/* What a call holds at most, however much memory there is: 2,500 atoms, whose modes take a worker
 * minutes. */
#define BYTES_MAX ((size_t)4 << 30)

/* A call that the HTTP side waits for. */
struct call {
  struct services *services;
  struct http_exchange *exchange; /* NULL: the client has gone */
  char *model, *client, *body;
  size_t size, json_size; /* of the body, and of the JSON part that one of KServe has */
  enum predict_format body_format, answer_format;
  char *request_id, sha256[65]; /* for a worker */
  uint64_t begun_ns;
  struct request request;
  struct kserve_wish wish; /* of a KServe body */
  struct problem problem;  /* of the whole, when its status is not 0 */
  size_t index;            /* of the structure that is under way */
  struct hessian_driver *driver;
  struct drive *drive;
  struct text results;             /* JSON: the elements so far; otherwise the answer */
  size_t json_part;                /* of the answer, in bytes, where others follow it */
  struct hessian_numbers *numbers; /* [n_items] of an answer in arrays; of the current structure */
  size_t bytes;                    /* that it holds, of the part of requests */
  struct work work;
  bool is_at_worker;
  struct irrep_error error; /* of the worker */
};

static struct call *call_of(struct work *work) {
  return (struct call *)(void *)((char *)work - offsetof(struct call, work));
}

static void end_structure(struct call *call) {
  drive_free(call->drive);
  hessian_driver_free(call->driver);
  call->drive = NULL;
  call->driver = NULL;
}

static void free_call(struct call *call) {
  end_structure(call);
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

static void refuse(struct call *call, const struct problem *problem) {
  const struct problem found = *problem;
  call->exchange->gone = NULL;
  http_reply_problem(call->exchange, &found, NULL);
  free_call(call);
}

/* Gives the call to a worker, which brings it to `done`, unless the client has gone by then. */
static void to_worker(struct call *call, void (*run)(struct work *, void *, size_t),
                      void (*done)(struct work *)) {
  call->work.run = run;
  call->work.done = done;
  call->is_at_worker = true;
  predict_work(call->services->predictor, &call->work);
}

/* Whether a worker's call is still waited for; otherwise frees it. */
static bool is_wanted(struct call *call) {
  const bool has_gone = !call->exchange;
  call->is_at_worker = false;
  if (has_gone)
    free_call(call);
  return !has_gone;
}

/* The answer */

static void refuse_memory(struct call *call) {
  struct problem problem;
  refuse(call,
         problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the answer."));
}

static const char *sha256_of(const struct call *call) {
  const struct served_model *served = registry_find(call->services->registry, call->model);
  return served ? served->sha256 : "";
}

static void answer_json(struct call *call) {
  struct text head = {0};
  struct json_writer w = json_writer_over(&head);
  answer_hessian_begin(&w, call->model, sha256_of(call), call->exchange->request_id);
  text_puts(&call->results, "]}\n");
  struct pieces *pieces = head.failed || call->results.failed ? NULL : pieces_new(2, 2);
  if (!pieces) {
    text_fini(&head);
    refuse_memory(call);
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
  free_call(call);
}

/* All structures, on a worker. */
static void write_arrays(struct work *work, void *arena, size_t bytes) {
  struct call *call = call_of(work);
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
  struct call *call = call_of(work);
  if (!is_wanted(call))
    return;
  struct http_reply reply = {.status = 200, .inference_header_size = call->json_part};
  reply.content_type = call->answer_format != FORMAT_KSERVE ? SAFETENSORS_TYPE
                       : call->json_part > 0                ? BYTES_TYPE
                                                            : "application/json";
  reply.body = text_take(&call->results, &reply.size);
  if (!reply.body) {
    refuse_memory(call);
    return;
  }
  call->exchange->gone = NULL;
  http_reply(call->exchange, &reply);
  free_call(call);
}

static void answer(struct call *call) {
  if (call->answer_format == FORMAT_JSON) {
    answer_json(call);
    return;
  }
  snprintf(call->sha256, sizeof call->sha256, "%s", sha256_of(call));
  to_worker(call, write_arrays, answer_arrays);
}

/* Structures */

/* A writer of the next element of results. */
static struct json_writer writer_of(struct call *call) {
  struct text *results = &call->results;
  return results->size > 0 ? json_writer_behind(results) : json_writer_over(results);
}

/* The structure that is under way has a problem, which of a call of one is the call's: then the
 * call is over, and false. */
static bool fail_structure(struct call *call, const struct problem *problem) {
  const struct problem found = *problem;
  end_structure(call);
  if (call->request.n_items == 1) {
    refuse(call, &found);
    return false;
  }
  struct request_item *item = &call->request.items[call->index];
  struct json_writer w = writer_of(call);
  if (call->answer_format == FORMAT_JSON)
    answer_json_error(&w, item->id, &found);
  else if (!item->problem)
    *request_fault(&call->request, call->index) = found;
  call->index++;
  return true;
}

static const struct problem *problem_of(const struct call *call, const struct irrep_error *error,
                                        struct problem *problem) {
  char pointer[64];
  snprintf(pointer, sizeof pointer, "#/structures/%zu", call->index);
  return problem_of_error(problem, error, pointer);
}

static void on_rests(void *context, enum driver_next next, const struct problem *problem);

static uint64_t deadline_ns(const struct call *call) {
  return call->request.has_deadline
             ? call->begun_ns + (uint64_t)(call->request.deadline_ms * 1e6) + 1
             : 0;
}

/* Begins the structure at the index. false, with the error: it cannot. */
static bool begin_structure(struct call *call, struct irrep_error *error) {
  const struct services *services = call->services;
  const size_t quarter = services->config->max_queue / 4;
  const size_t most = quarter < 1 ? 1 : quarter < AT_ONCE ? quarter : AT_ONCE;
  call->driver = hessian_driver_new(&call->request, call->index, call->model, most, error);
  if (!call->driver)
    return false;
  const struct drive_options options = {.loop = services->runs->loop,
                                        .predictor = services->predictor,
                                        .driver = &call->driver->driver,
                                        .client = call->client,
                                        .deadline_ns = deadline_ns(call),
                                        .rests = on_rests,
                                        .context = call};
  call->drive = drive_new(&options);
  if (!call->drive)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for the Hessian"), false;
  drive_begin(call->drive);
  return true;
}

/* Begins the next structure that has no problem, or answers. */
static void go_on(struct call *call) {
  struct irrep_error error;
  struct problem problem;
  while (call->index < call->request.n_items) {
    const struct problem *found = call->request.items[call->index].problem;
    if (!found && begin_structure(call, &error))
      return;
    if (!fail_structure(call, found ? found : problem_of(call, &error, &problem)))
      return;
  }
  answer(call);
}

static void find_modes(struct work *work, void *arena, size_t bytes) {
  struct call *call = call_of(work);
  const struct request_item *item = &call->request.items[call->index];
  struct hessian_numbers *numbers = &call->numbers[call->index];
  (void)arena, (void)bytes;
  call->error = (struct irrep_error){0};
  if (!hessian_driver_find(call->driver, strcmp(call->services->blas, "own") == 0, numbers,
                           &call->error) ||
      call->answer_format != FORMAT_JSON)
    return;
  text_room(&call->results, answer_hessian_text_bytes(item->structure.n_atoms));
  struct json_writer w = writer_of(call);
  answer_hessian_result(&w, item->id, numbers);
  hessian_numbers_fini(numbers);
  if (call->results.failed)
    irrep_fail(&call->error, IRREP_NO_MEMORY, "", "not enough memory for the answer");
}

static void end_modes(struct work *work) {
  struct call *call = call_of(work);
  if (!is_wanted(call))
    return;
  if (call->error.status != IRREP_OK) {
    struct problem problem;
    if (fail_structure(call, problem_of(call, &call->error, &problem)))
      go_on(call);
    return;
  }
  end_structure(call);
  call->index++;
  go_on(call);
}

/* What is said of a displaced copy holds for the structure: the first that has a fault is told. */
static void of_structure(struct problem *problem, size_t index) {
  static const char copies[] = "#/structures/";
  char pointer[sizeof problem->pointer];
  if (strncmp(problem->pointer, copies, sizeof copies - 1) != 0)
    return;
  const char *rest = problem->pointer + sizeof copies - 1;
  rest += strspn(rest, "0123456789");
  snprintf(pointer, sizeof pointer, "%s%zu%.80s", copies, index, rest);
  memcpy(problem->pointer, pointer, sizeof pointer);
}

/* Whether it is the end of the whole call, not of a structure. */
static bool is_of_all(const struct problem *problem) {
  return problem->status == 503 || problem->status == 504 || problem->status == 429;
}

static void on_rests(void *context, enum driver_next next, const struct problem *problem) {
  struct call *call = context;
  struct problem found;
  if (next == DRIVER_ENDS) {
    drive_free(call->drive);
    call->drive = NULL;
    to_worker(call, find_modes, end_modes);
    return;
  }
  if (!problem)
    problem_of_kind(&found, PROBLEM_NOT_FINITE, "#/structures/0", "%s", call->driver->driver.fault);
  else
    found = *problem;
  of_structure(&found, call->index);
  if (is_of_all(&found))
    refuse(call, &found);
  else if (fail_structure(call, &found))
    go_on(call);
}

/* The body */

/* What predict takes, and a Hessian does not. */
static bool check_envelope(const struct request *request, struct problem *problem) {
  if (request->has_precision && request->precision != IRREP_FLOAT64)
    problem_of_kind(problem, PROBLEM_WRONG_VALUE, "#/precision",
                    "second derivatives are computed in float64");
  else if (request->properties != properties_default())
    problem_of_kind(problem, PROBLEM_WRONG_VALUE, "#/properties",
                    "results have hessian, frequencies, modes and zero_point_energy");
  else
    return true;
  return false;
}

/* Of the fields of structures that move, masses are known here. */
static bool check_motion(const struct request *request, struct problem *problem) {
  char pointer[64];
  for (size_t i = 0; i < request->n_items; i++) {
    const struct request_motion *motion = request->items[i].motion;
    if (!motion || (!motion->velocities && motion->n_fixed == 0))
      continue;
    const char *field = motion->velocities ? "velocities" : "fixed";
    snprintf(pointer, sizeof pointer, "#/structures/%zu/%s", i, field);
    problem_of_kind(problem, PROBLEM_UNKNOWN_KEY, pointer, "a Hessian takes no %s", field);
    return false;
  }
  return true;
}

static bool decode(struct call *call) {
  const struct config *config = call->services->config;
  const struct codec_limits limits = {
      .max_structures = config->max_structures, .max_atoms = config->max_atoms, .motion = true};
  const char *body = call->body ? call->body : "";
  if (call->body_format == FORMAT_KSERVE)
    return codec_kserve_read(body, call->json_size, call->size, &limits, &call->request,
                             &call->wish, &call->problem);
  return (call->body_format == FORMAT_JSON ? codec_json_read : codec_safetensors_read)(
      body, call->size, &limits, &call->request, &call->problem);
}

static void read_body(struct work *work, void *arena, size_t bytes) {
  struct call *call = call_of(work);
  struct request *request = &call->request;
  (void)arena, (void)bytes;
  if (decode(call) && check_envelope(request, &call->problem) &&
      check_motion(request, &call->problem) && !request->has_priority)
    request->priority = PRIORITY_BULK;
}

/* What a structure comes to hold until the answer: its numbers, unless they are written at once,
 * and what they become there. */
static size_t kept_bytes(const struct call *call, size_t n_atoms) {
  const size_t arrays = answer_hessian_array_bytes(n_atoms);
  const size_t text = answer_hessian_text_bytes(n_atoms);
  if (call->answer_format == FORMAT_JSON)
    return text;
  return size_add(arrays, call->answer_format == FORMAT_KSERVE ? text : arrays);
}

/* The most that the call comes to hold: what is kept of all, and one structure's matrices. */
static size_t bytes_of(const struct call *call) {
  const struct request *request = &call->request;
  size_t texts = 0, most = 0;
  for (size_t i = 0; i < request->n_items; i++) {
    const size_t n_atoms = request->items[i].structure.n_atoms;
    const size_t bytes = hessian_driver_bytes(n_atoms);
    texts = size_add(texts, kept_bytes(call, n_atoms));
    most = bytes > most ? bytes : most;
  }
  return size_add(texts, most);
}

/* Takes the memory of the call, or says why not. */
static bool let_in(struct call *call, struct problem *problem) {
  struct ledger *ledger = predictor_ledger(call->services->predictor);
  const size_t bytes = bytes_of(call), part = ledger_most(ledger, LEDGER_REQUESTS);
  const size_t most = part < BYTES_MAX ? part : BYTES_MAX;
  if (bytes > most) {
    problem_of_kind(problem, PROBLEM_TOO_LARGE, "#/structures",
                    "the Hessian needs %zu bytes until it is answered; it may hold %zu", bytes,
                    most);
    return false;
  }
  if (ledger_take(ledger, LEDGER_REQUESTS, bytes)) {
    call->bytes = bytes;
    return true;
  }
  problem_of_kind(problem, PROBLEM_QUEUE_FULL, "",
                  "no memory is left for the %zu bytes of the Hessian; try again later", bytes);
  return false;
}

static void end_reading(struct work *work) {
  struct call *call = call_of(work);
  struct problem problem;
  if (!is_wanted(call))
    return;
  free(call->body);
  call->body = NULL;
  if (call->problem.status != 0)
    refuse(call, &call->problem);
  else if (!let_in(call, &problem))
    refuse(call, &problem);
  else if (!(call->numbers = calloc(call->request.n_items, sizeof *call->numbers)))
    refuse_memory(call);
  else
    go_on(call);
}

static void on_gone(void *context) {
  struct call *call = context;
  metrics_request_cancelled(call->services->metrics, "disconnect");
  call->exchange = NULL;
  if (!call->is_at_worker)
    free_call(call);
}

static struct call *new_call(struct services *services, struct http_exchange *exchange,
                             const struct call *formats, const char *model) {
  struct call *call = calloc(1, sizeof *call);
  if (!call)
    return NULL;
  *call = *formats;
  call->services = services;
  call->exchange = exchange;
  call->begun_ns = uv_hrtime();
  call->model = strdup(model);
  call->client = exchange->client ? strdup(exchange->client) : NULL;
  call->request_id = strdup(exchange->request_id);
  if (!call->model || !call->request_id || (exchange->client && !call->client)) {
    free_call(call);
    return NULL;
  }
  call->body = http_take_body(exchange);
  call->size = exchange->size;
  exchange->gone = on_gone;
  exchange->gone_context = call;
  return call;
}

static void begin(struct services *services, struct http_exchange *exchange,
                  const struct call *formats, const char *model) {
  struct problem problem;
  if (!registry_find(services->registry, model)) {
    reply_unknown_model(services, exchange, model);
    return;
  }
  if (services->draining) {
    problem_of_kind(&problem, PROBLEM_DRAINING, "", "The server finishes what it has accepted.");
    http_reply_problem(exchange, &problem, NULL);
    return;
  }
  struct call *call = new_call(services, exchange, formats, model);
  if (!call) {
    reply_no_memory(exchange);
    return;
  }
  if (call->size > READ_ON_LOOP_BYTES) {
    to_worker(call, read_body, end_reading);
    return;
  }
  read_body(&call->work, NULL, 0);
  end_reading(&call->work);
}

void route_hessian(struct services *services, struct http_exchange *exchange, const char *model) {
  const struct call formats = {
      .body_format = routes_body_is_binary(exchange) ? FORMAT_SAFETENSORS : FORMAT_JSON,
      .answer_format = routes_answer_is_binary(exchange) ? FORMAT_SAFETENSORS : FORMAT_JSON};
  begin(services, exchange, &formats, model);
}

void routes_infer_hessian(struct services *services, struct http_exchange *exchange,
                          const char *model, size_t json_size) {
  const struct call formats = {
      .body_format = FORMAT_KSERVE, .answer_format = FORMAT_KSERVE, .json_size = json_size};
  begin(services, exchange, &formats, model);
}
