/* POST /v1/models/{m}/hessian, and /v2/models/{m}/infer with outputs of a Hessian: second
 * derivatives and normal modes. Structures of a call come one after the other. Each is evaluated as
 * it is, which tells its faults; then workers compute its rows by tangents or, where there are
 * none, a driver asks for its displaced copies, in batches with everybody's. What follows when the
 * matrix is there, a worker does. */
#include "core/base/arena.h"
#include "server/base/ledger.h"
#include "server/base/problem_kinds.h"
#include "server/codec/answer_json.h"
#include "server/codec/codec_safetensors.h"
#include "server/codec/properties.h"
#include "server/routes/hessian_call.h"
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

/* Structures */

/* A writer of the next element of results. */
static struct json_writer writer_of(struct hessian_call *call) {
  struct text *results = &call->results;
  return results->size > 0 ? json_writer_behind(results) : json_writer_over(results);
}

/* The structure that is under way has a problem, which of a call of one is the call's: then the
 * call is over, and false. */
static bool fail_structure(struct hessian_call *call, const struct problem *problem) {
  const struct problem found = *problem;
  hessian_call_end_structure(call);
  if (call->request.n_items == 1) {
    hessian_call_refuse(call, &found);
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

static const struct problem *problem_of(const struct hessian_call *call,
                                        const struct irrep_error *error, struct problem *problem) {
  char pointer[64];
  snprintf(pointer, sizeof pointer, "#/structures/%zu", call->index);
  return problem_of_error(problem, error, pointer);
}

static void on_rests(void *context, enum driver_next next, const struct problem *problem);

static uint64_t deadline_ns(const struct hessian_call *call) {
  return call->request.has_deadline
             ? call->begun_ns + (uint64_t)(call->request.deadline_ms * 1e6) + 1
             : 0;
}

/* Lets the driver ask for what it wants. false, with the error: it cannot. */
static bool begin_drive(struct hessian_call *call, struct irrep_error *error) {
  const struct services *services = call->services;
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

/* Whether tangents may be asked: terms beside the model, and members of a committee, have none. */
static bool may_be_analytic(const struct request *request) {
  return request->method != METHOD_DIFFERENCES && !request->dispersion.is_wanted &&
         request->committee.n == 0;
}

/* Begins the structure at the index. false, with the error: it cannot. */
static bool begin_structure(struct hessian_call *call, struct irrep_error *error) {
  const size_t quarter = call->services->config->max_queue / 4;
  const size_t most = quarter < 1 ? 1 : quarter < AT_ONCE ? quarter : AT_ONCE;
  call->driver = hessian_driver_new(&call->request, call->index, call->model, most,
                                    may_be_analytic(&call->request), error);
  return call->driver && begin_drive(call, error);
}

/* Begins the next structure that has no problem, or answers. */
static void go_on(struct hessian_call *call) {
  struct irrep_error error;
  struct problem problem;
  while (call->index < call->request.n_items) {
    const struct problem *found = call->request.items[call->index].problem;
    if (!found && begin_structure(call, &error))
      return;
    if (!fail_structure(call, found ? found : problem_of(call, &error, &problem)))
      return;
  }
  hessian_call_answer(call);
}

static void find_modes(struct work *work, void *arena, size_t bytes) {
  struct hessian_call *call = hessian_call_of(work);
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
  struct hessian_call *call = hessian_call_of(work);
  if (!hessian_call_is_wanted(call))
    return;
  if (call->error.status != IRREP_OK) {
    struct problem problem;
    if (fail_structure(call, problem_of(call, &call->error, &problem)))
      go_on(call);
    return;
  }
  hessian_call_end_structure(call);
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

/* The structure has a fault, which may be the end of all. */
static void fail(struct hessian_call *call, struct problem *problem) {
  of_structure(problem, call->index);
  if (is_of_all(problem))
    hessian_call_refuse(call, problem);
  else if (fail_structure(call, problem))
    go_on(call);
}

/* The model has no tangents, or they are too large: differences come in their place, unless the
 * request says otherwise. */
static void take_differences(struct hessian_call *call, struct problem *reason) {
  struct irrep_error error;
  struct problem problem;
  hessian_call_end_rows(call);
  if (call->request.method == METHOD_ANALYTIC)
    fail(call, reason);
  else if (!begin_drive(call, &error) && fail_structure(call, problem_of(call, &error, &problem)))
    go_on(call);
}

static void on_rows(void *context, enum hessian_rows_end end, const struct irrep_error *error) {
  struct hessian_call *call = context;
  struct problem problem;
  if (!call->exchange) {
    hessian_call_free(call);
    return;
  }
  if (end == HESSIAN_ROWS_DONE) {
    hessian_call_end_rows(call);
    hessian_call_to_worker(call, find_modes, end_modes);
  } else if (end == HESSIAN_ROWS_LATE) {
    metrics_request_cancelled(call->services->metrics, "deadline");
    hessian_call_refuse(
        call, problem_of_kind(&problem, PROBLEM_DEADLINE_PASSED, "#/deadline_ms",
                              "the deadline of %.15g ms passed before all rows were computed",
                              call->request.deadline_ms));
  } else {
    problem_of(call, error, &problem);
    fail(call, &problem);
  }
}

/* The bytes that rows need; otherwise the problem says why there are none, whatever else is under
 * way: which method is taken does not depend on that. */
static bool rows_bytes(const struct hessian_call *call, size_t *bytes, struct problem *problem) {
  const struct evaluator *evaluator = registry_evaluator(call->services->registry);
  const struct ledger *ledger = predictor_ledger(call->services->predictor);
  const size_t most = ledger_most(ledger, LEDGER_REQUESTS);
  struct irrep_plan plan = IRREP_PLAN_INIT;
  plan.n_structures = 1;
  plan.n_atoms = call->request.items[call->index].structure.n_atoms;
  plan.n_edges = call->driver->n_edges;
  *bytes = evaluator->tangents_bytes && !call->loaded->plain_kernels
               ? evaluator->tangents_bytes(call->loaded->model, &plan)
               : SIZE_MAX;
  if (*bytes == SIZE_MAX)
    problem_of_kind(problem, PROBLEM_WRONG_VALUE, "#/method",
                    "the model has an operation without tangents: \"differences\" is due");
  else if (*bytes > most)
    problem_of_kind(problem, PROBLEM_TOO_LARGE, "#/structures/0",
                    "tangents of the structure need %zu bytes; they may hold %zu", *bytes, most);
  return *bytes <= most;
}

/* Takes what the rows need for now. false, with the problem: it is not there. */
static bool take_for_rows(struct hessian_call *call, size_t bytes, size_t *head,
                          struct problem *problem) {
  struct ledger *ledger = predictor_ledger(call->services->predictor);
  if (!ledger_take(ledger, LEDGER_REQUESTS, bytes)) {
    problem_of_kind(problem, PROBLEM_QUEUE_FULL, "",
                    "no memory is left for the %zu bytes of tangents; try again later", bytes);
    return false;
  }
  call->rows_bytes = bytes;
  return codec_head_choose(&call->request.head, registry_card(call->loaded->served), call->model,
                           head, problem);
}

/* The structure has been evaluated as it is, without a fault. */
static void begin_rows(struct hessian_call *call) {
  const struct services *services = call->services;
  struct served_model *served = registry_find(services->registry, call->model);
  struct problem problem;
  size_t head = 0, bytes = 0;
  problem_of_kind(&problem, PROBLEM_MODEL_NOT_READY, "", "The model is not in memory any more.");
  call->loaded = served ? registry_hold(served) : NULL;
  if (call->loaded && !rows_bytes(call, &bytes, &problem)) {
    take_differences(call, &problem);
    return;
  }
  if (!call->loaded || !take_for_rows(call, bytes, &head, &problem)) {
    fail(call, &problem);
    return;
  }
  const struct hessian_rows_options options = {.loop = services->runs->loop,
                                               .predictor = services->predictor,
                                               .model = call->loaded->model,
                                               .structure =
                                                   &call->request.items[call->index].structure,
                                               .head = head,
                                               .max_bytes = bytes,
                                               .hessian = call->driver->hessian,
                                               .deadline_ns = deadline_ns(call),
                                               .ended = on_rows,
                                               .context = call};
  call->rows = hessian_rows_begin(&options);
  problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for tangents.");
  if (!call->rows)
    fail(call, &problem);
}

static void on_rests(void *context, enum driver_next next, const struct problem *problem) {
  struct hessian_call *call = context;
  struct problem found;
  if (next == DRIVER_ENDS) {
    drive_free(call->drive);
    call->drive = NULL;
    if (irrep_hessian_wanted(call->driver->hessian) > 0)
      begin_rows(call);
    else
      hessian_call_to_worker(call, find_modes, end_modes);
    return;
  }
  if (!problem)
    problem_of_kind(&found, PROBLEM_NOT_FINITE, "#/structures/0", "%s", call->driver->driver.fault);
  else
    found = *problem;
  fail(call, &found);
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
  else if (request->method == METHOD_ANALYTIC && !may_be_analytic(request))
    problem_of_kind(problem, PROBLEM_WRONG_VALUE, "#/method",
                    "%s has no tangents: \"differences\" is due",
                    request->committee.n > 0 ? "a committee" : "dispersion");
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

static bool decode(struct hessian_call *call) {
  const struct config *config = call->services->config;
  const struct codec_limits limits = {.max_structures = config->max_structures,
                                      .max_atoms = config->max_atoms,
                                      .motion = true,
                                      .of_hessian = true};
  const char *body = call->body ? call->body : "";
  if (call->body_format == FORMAT_KSERVE)
    return codec_kserve_read(body, call->json_size, call->size, &limits, &call->request,
                             &call->wish, &call->problem);
  return (call->body_format == FORMAT_JSON ? codec_json_read : codec_safetensors_read)(
      body, call->size, &limits, &call->request, &call->problem);
}

static void read_body(struct work *work, void *arena, size_t bytes) {
  struct hessian_call *call = hessian_call_of(work);
  struct request *request = &call->request;
  (void)arena, (void)bytes;
  if (decode(call) && check_envelope(request, &call->problem) &&
      check_motion(request, &call->problem) && !request->has_priority)
    request->priority = PRIORITY_BULK;
}

/* What a structure comes to hold until the answer: its numbers, unless they are written at once,
 * and what they become there. */
static size_t kept_bytes(const struct hessian_call *call, size_t n_atoms) {
  const size_t arrays = answer_hessian_array_bytes(n_atoms);
  const size_t text = answer_hessian_text_bytes(n_atoms);
  if (call->answer_format == FORMAT_JSON)
    return text;
  return size_add(arrays, call->answer_format == FORMAT_KSERVE ? text : arrays);
}

/* The most that the call comes to hold: what is kept of all, and one structure's matrices. */
static size_t bytes_of(const struct hessian_call *call) {
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
static bool let_in(struct hessian_call *call, struct problem *problem) {
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
  struct hessian_call *call = hessian_call_of(work);
  struct problem problem;
  if (!hessian_call_is_wanted(call))
    return;
  free(call->body);
  call->body = NULL;
  if (call->problem.status != 0)
    hessian_call_refuse(call, &call->problem);
  else if (!let_in(call, &problem))
    hessian_call_refuse(call, &problem);
  else if (!(call->numbers = calloc(call->request.n_items, sizeof *call->numbers)))
    hessian_call_refuse_memory(call);
  else
    go_on(call);
}

static void on_gone(void *context) {
  struct hessian_call *call = context;
  metrics_request_cancelled(call->services->metrics, "disconnect");
  call->exchange = NULL;
  if (hessian_rows_is_at_worker(call->rows))
    hessian_rows_stop(call->rows);
  else if (!call->is_at_worker)
    hessian_call_free(call);
}

static struct hessian_call *new_call(struct services *services, struct http_exchange *exchange,
                                     const struct hessian_call *formats, const char *model) {
  struct hessian_call *call = calloc(1, sizeof *call);
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
    hessian_call_free(call);
    return NULL;
  }
  call->body = http_take_body(exchange);
  call->size = exchange->size;
  exchange->gone = on_gone;
  exchange->gone_context = call;
  return call;
}

static void begin(struct services *services, struct http_exchange *exchange,
                  const struct hessian_call *formats, const char *model) {
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
  struct hessian_call *call = new_call(services, exchange, formats, model);
  if (!call) {
    reply_no_memory(exchange);
    return;
  }
  if (call->size > READ_ON_LOOP_BYTES) {
    hessian_call_to_worker(call, read_body, end_reading);
    return;
  }
  read_body(&call->work, NULL, 0);
  end_reading(&call->work);
}

void route_hessian(struct services *services, struct http_exchange *exchange, const char *model) {
  const struct hessian_call formats = {
      .body_format = routes_body_is_binary(exchange) ? FORMAT_SAFETENSORS : FORMAT_JSON,
      .answer_format = routes_answer_is_binary(exchange) ? FORMAT_SAFETENSORS : FORMAT_JSON};
  begin(services, exchange, &formats, model);
}

void routes_infer_hessian(struct services *services, struct http_exchange *exchange,
                          const char *model, size_t json_size) {
  const struct hessian_call formats = {
      .body_format = FORMAT_KSERVE, .answer_format = FORMAT_KSERVE, .json_size = json_size};
  begin(services, exchange, &formats, model);
}
