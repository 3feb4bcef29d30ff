/* POST /v1/models/{m}/hessian: second derivatives and normal modes. Structures of a call come one
 * after the other, the displaced copies of each by a driver, in batches with everybody's; what
 * follows when all forces are there, a worker does. */
#include "core/base/arena.h"
#include "server/base/ledger.h"
#include "server/base/pieces.h"
#include "server/base/problem_kinds.h"
#include "server/codec/answer_json.h"
#include "server/codec/codec_json.h"
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
  size_t size;
  uint64_t begun_ns;
  struct request request;
  struct problem problem; /* of the whole, when its status is not 0 */
  size_t index;           /* of the structure that is under way */
  struct hessian_driver *driver;
  struct drive *drive;
  struct text results;
  size_t bytes; /* that it holds, of the part of requests */
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
  request_fini(&call->request);
  text_fini(&call->results);
  free(call->model);
  free(call->client);
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

static void write_head(const struct call *call, struct text *head) {
  const struct served_model *served = registry_find(call->services->registry, call->model);
  struct json_writer w = json_writer_over(head);
  json_open_object(&w, NULL);
  json_put_string(&w, "model", call->model);
  json_put_string(&w, "model_sha256", served ? served->sha256 : "");
  json_put_string(&w, "request_id", call->exchange->request_id);
  json_open_object(&w, "units");
  json_put_string(&w, "hessian", "eV/Angstrom^2");
  json_put_string(&w, "frequencies", "1/cm");
  json_put_string(&w, "modes", "1");
  json_put_string(&w, "zero_point_energy", "eV");
  json_close_object(&w);
  json_open_array(&w, "results");
}

static void answer(struct call *call) {
  struct text head = {0};
  struct problem problem;
  write_head(call, &head);
  text_puts(&call->results, "]}\n");
  struct pieces *pieces = head.failed || call->results.failed ? NULL : pieces_new(2, 2);
  if (!pieces) {
    text_fini(&head);
    refuse(call,
           problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the answer."));
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

/* Structures */

/* The structure that is under way has a problem, which of a call of one is the call's: then the
 * call is over, and false. */
static bool fail_structure(struct call *call, const struct problem *problem) {
  const struct problem found = *problem;
  end_structure(call);
  if (call->request.n_items == 1) {
    refuse(call, &found);
    return false;
  }
  struct text *results = &call->results;
  struct json_writer w =
      results->size > 0 ? json_writer_behind(results) : json_writer_over(results);
  answer_json_error(&w, call->request.items[call->index].id, &found);
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
  (void)arena, (void)bytes;
  call->error = (struct irrep_error){0};
  hessian_driver_write(call->driver, strcmp(call->services->blas, "own") == 0, &call->results,
                       &call->error);
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

static void read_body(struct work *work, void *arena, size_t bytes) {
  struct call *call = call_of(work);
  const struct config *config = call->services->config;
  const struct codec_limits limits = {
      .max_structures = config->max_structures, .max_atoms = config->max_atoms, .motion = true};
  struct request *request = &call->request;
  (void)arena, (void)bytes;
  if (codec_json_read(call->body ? call->body : "", call->size, &limits, request, &call->problem) &&
      check_envelope(request, &call->problem) && check_motion(request, &call->problem) &&
      !request->has_priority)
    request->priority = PRIORITY_BULK;
}

/* The most that the call comes to hold: all texts, and one structure's matrices. */
static size_t bytes_of(const struct request *request) {
  size_t texts = 0, most = 0;
  for (size_t i = 0; i < request->n_items; i++) {
    const size_t n_atoms = request->items[i].structure.n_atoms;
    const size_t bytes = hessian_driver_bytes(n_atoms);
    texts = size_add(texts, hessian_driver_text_bytes(n_atoms));
    most = bytes > most ? bytes : most;
  }
  return size_add(texts, most);
}

/* Takes the memory of the call, or says why not. */
static bool let_in(struct call *call, struct problem *problem) {
  struct ledger *ledger = predictor_ledger(call->services->predictor);
  const size_t bytes = bytes_of(&call->request), part = ledger_most(ledger, LEDGER_REQUESTS);
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
                             const char *model) {
  struct call *call = calloc(1, sizeof *call);
  if (!call)
    return NULL;
  *call = (struct call){.services = services, .exchange = exchange, .begun_ns = uv_hrtime()};
  call->model = strdup(model);
  call->client = exchange->client ? strdup(exchange->client) : NULL;
  if (!call->model || (exchange->client && !call->client)) {
    free_call(call);
    return NULL;
  }
  call->body = http_take_body(exchange);
  call->size = exchange->size;
  exchange->gone = on_gone;
  exchange->gone_context = call;
  return call;
}

void route_hessian(struct services *services, struct http_exchange *exchange, const char *model) {
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
  struct call *call = new_call(services, exchange, model);
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
