/* Jobs: relaxations and dynamics that go on by themselves, as kept_run.h has them. */
#include "server/base/problem_kinds.h"
#include "server/codec/codec_reader.h"
#include "server/routes/routes.h"
#include "server/runs/kept_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who sees jobs: with keys each its own, otherwise everybody all. */
static const char *owner_of(const struct services *services, const struct http_exchange *exchange) {
  return services->auth ? exchange->client : NULL;
}

static void reply_card(struct http_exchange *exchange, const struct kept_run *run, int status) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  kept_run_put(run, &w, true);
  reply_json(exchange, status, &text);
}

/* The job of an id; otherwise answers 404. */
static struct kept_run *find(struct services *services, struct http_exchange *exchange,
                             const char *id) {
  struct problem problem;
  struct kept_run *run = kept_runs_find(services->jobs, id, owner_of(services, exchange));
  if (!run)
    http_reply_problem(exchange,
                       problem_of_kind(&problem, PROBLEM_UNKNOWN_JOB, "",
                                       "There is no such job; GET /v1/jobs lists yours."),
                       NULL);
  return run;
}

/* Beginning */

struct beginning {
  struct http_exchange *exchange;
  struct kept_run *run;
};

static void on_added(void *context, struct kept_run *run, const struct problem *problem) {
  struct beginning *beginning = context;
  struct http_exchange *exchange = beginning->exchange;
  char location[16 + STORE_ID_SIZE];
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  free(beginning);
  exchange->gone = NULL;
  if (problem) {
    http_reply_problem(exchange, problem, NULL);
    return;
  }
  snprintf(location, sizeof location, "/v1/jobs/%s", kept_run_id(run));
  kept_run_put(run, &w, true);
  text_puts(&text, "\n");
  const struct http_field fields[] = {{"Location", location},
                                      {"Preference-Applied", "respond-async"}};
  struct http_reply reply = {
      .status = 202, .content_type = "application/json", .fields = fields, .n_fields = 2};
  reply.body = text_take(&text, &reply.size);
  if (reply.body)
    http_reply(exchange, &reply);
  else
    reply_text(exchange, 202, "application/json", NULL, 0);
}

/* It goes on: who asked for it may find it in the list. */
static void on_beginner_gone(void *context) {
  struct beginning *beginning = context;
  kept_run_forsake(beginning->run);
  free(beginning);
}

void routes_begin_job(struct services *services, struct http_exchange *exchange, const char *model,
                      enum trajectory_kind kind) {
  struct problem problem;
  const char *owner = owner_of(services, exchange);
  struct beginning *beginning = calloc(1, sizeof *beginning);
  problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "There is no memory for the request.");
  if (beginning) {
    const struct kept_call call = {
        .kind = kind,
        .format = routes_body_is_binary(exchange) ? TRAJECTORY_SAFETENSORS : TRAJECTORY_JSON,
        .model = model,
        .client = exchange->client,
        .owner = owner ? owner : "",
        .body = http_take_body(exchange),
        .size = exchange->size,
        .added = on_added,
        .context = beginning};
    beginning->exchange = exchange;
    exchange->gone = on_beginner_gone;
    exchange->gone_context = beginning;
    beginning->run = kept_runs_add(services->jobs, &call, &problem);
  }
  if (beginning && beginning->run)
    return;
  free(beginning);
  exchange->gone = NULL;
  http_reply_problem(exchange, &problem, NULL);
}

/* Looking */

void route_jobs(struct services *services, struct http_exchange *exchange, const char *model) {
  const char *owner = owner_of(services, exchange);
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  (void)model;
  json_open_object(&w, NULL);
  json_open_array(&w, "jobs");
  for (struct kept_run *run = NULL; (run = kept_runs_next(services->jobs, run, owner));)
    kept_run_put(run, &w, false);
  json_close_array(&w);
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}

void route_job(struct services *services, struct http_exchange *exchange, const char *id) {
  const struct kept_run *run = find(services, exchange, id);
  if (run)
    reply_card(exchange, run, 200);
}

/* Acting */

enum action { PAUSE, RESUME, CHECKPOINT, N_ACTIONS };

/* The action of a body; N_ACTIONS, and the problem. */
static enum action read_action(const char *body, size_t size, struct problem *problem) {
  static const char *const members[] = {"action"};
  static const char *const words[] = {"pause", "resume", "checkpoint"};
  struct json_reader json = json_reader_over(body, size);
  struct codec_fault fault = {0};
  uint32_t given = 0;
  size_t action = N_ACTIONS;
  if (json_peek(&json) == JSON_OBJECT) {
    json_object_begin(&json);
    while (codec_next_member(&json, members, 1, &given, "#", &fault) == 0)
      action = codec_choose(&json, words, N_ACTIONS);
  } else {
    codec_fault_set(&fault, PROBLEM_MALFORMED_JSON, "the body must be a JSON object", "#");
    json_skip(&json);
  }
  if (action == N_ACTIONS)
    codec_fault_set(&fault, given ? PROBLEM_WRONG_VALUE : PROBLEM_MISSING_KEY,
                    "\"pause\", \"resume\" or \"checkpoint\" is due", "#/action");
  if (!json_end(&json))
    codec_malformed(&json, problem);
  else if (fault.is_set)
    codec_fault_tell(&fault, problem);
  else
    return (enum action)action;
  return N_ACTIONS;
}

void route_job_action(struct services *services, struct http_exchange *exchange, const char *id) {
  static bool (*const actions[])(struct kept_run * run) = {kept_run_pause, kept_run_resume,
                                                           kept_run_checkpoint};
  struct problem problem;
  struct kept_run *run = find(services, exchange, id);
  if (!run)
    return;
  const enum action action = read_action(exchange->body, exchange->size, &problem);
  if (action == N_ACTIONS) {
    http_reply_problem(exchange, &problem, NULL);
    return;
  }
  if (services->draining)
    problem_of_kind(&problem, PROBLEM_DRAINING, "", "The server finishes what it has accepted.");
  else if (!actions[action](run))
    problem_of_kind(&problem, PROBLEM_JOB_STATE, "#/action", "The job is %s.",
                    kept_state_name(kept_run_state(run)));
  else {
    reply_card(exchange, run, 200);
    return;
  }
  http_reply_problem(exchange, &problem, NULL);
}

void route_job_delete(struct services *services, struct http_exchange *exchange, const char *id) {
  struct kept_run *run = find(services, exchange, id);
  if (!run)
    return;
  if (!kept_run_has_ended(run)) {
    kept_run_cancel(run);
    reply_card(exchange, run, 200);
    return;
  }
  metrics_job_forgotten(services->metrics, "request");
  kept_run_forget(run);
  struct http_reply reply = {.status = 204};
  http_reply(exchange, &reply);
}

/* Following */

struct following {
  struct http_exchange *exchange;
  struct kept_reader *reader;
};

static size_t read_frames(void *context, char *bytes, size_t size) {
  const size_t n = kept_reader_read(((struct following *)context)->reader, bytes, size);
  return n == SIZE_MAX ? HTTP_STREAM_END : n;
}

static void on_closed(void *context) {
  struct following *following = context;
  kept_reader_free(following->reader);
  free(following);
}

static void on_more(void *context) {
  http_wake(((struct following *)context)->exchange);
}

/* The number of a frame; false: it is none. */
static bool read_from(const char *text, uint64_t *from) {
  char *end;
  *from = 0;
  if (!text)
    return true;
  if (*text < '0' || *text > '9')
    return false;
  errno = 0;
  const unsigned long long number = strtoull(text, &end, 10);
  *from = number;
  return *end == '\0' && errno == 0 && number < (1ULL << 53);
}

void route_job_frames(struct services *services, struct http_exchange *exchange, const char *id) {
  struct problem problem;
  uint64_t from;
  struct kept_run *run = find(services, exchange, id);
  if (!run)
    return;
  if (!read_from(exchange->query_from, &from)) {
    http_reply_problem(exchange,
                       problem_of_kind(&problem, PROBLEM_WRONG_VALUE, "#/from",
                                       "from takes how many frames are to be passed over."),
                       NULL);
    return;
  }
  struct following *following = calloc(1, sizeof *following);
  if (following) {
    following->exchange = exchange;
    following->reader = kept_reader_new(run, from, on_more, following);
  }
  if (!following || !following->reader) {
    free(following);
    reply_text(exchange, 200, "application/x-ndjson", NULL, 0);
    return;
  }
  struct http_reply reply = {.status = 200,
                             .content_type = "application/x-ndjson",
                             .stream = {read_frames, on_closed, following}};
  http_reply(exchange, &reply);
}
