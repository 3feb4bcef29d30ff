#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/predict.h"
#include "tests/unit/fake_served.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define MODEL FAKE_MODEL

struct fixture {
  struct fake_served served;
  size_t n_done, n_drained;
  bool inside; /* a call of predict.h is under way */
};

/* A call and what it got. */
struct call {
  struct fixture *fixture;
  struct predict_job *job;
  size_t n_replies;
  struct reply reply;
  cJSON *json; /* of the reply's body */
};

static void on_done(void *context, struct reply *reply) {
  struct call *call = context;
  assert_false(call->fixture->inside);
  assert_int_equal(call->n_replies, 0);
  call->n_replies++;
  call->fixture->n_done++;
  call->reply = *reply;
  assert_non_null(reply->body);
  assert_int_equal(reply->size, strlen(reply->body));
  call->json = cJSON_Parse(reply->body);
  assert_non_null(call->json);
}

static void begin_with(struct fixture *f, struct call *call, const char *model, const char *body,
                       size_t size) {
  char *memory = malloc(size);
  assert_non_null(memory);
  memcpy(memory, body, size);
  *call = (struct call){.fixture = f};
  f->inside = true;
  const struct predict_call request = {.model = model,
                                       .body = memory,
                                       .size = size,
                                       .request_id = "request-1",
                                       .done = on_done,
                                       .context = call};
  call->job = predict_call(f->served.predictor, &request);
  f->inside = false;
  assert_non_null(call->job);
}

static void begin(struct fixture *f, struct call *call, const char *body) {
  begin_with(f, call, MODEL, body, strlen(body));
}

static void free_call(struct call *call) {
  cJSON_Delete(call->json);
  free(call->reply.body);
}

static void finish(struct fixture *f, size_t n_done) {
  WAIT_FOR(&f->served.loop, f->n_done >= n_done);
}

static void answer(struct fixture *f, struct call *call, const char *body) {
  begin(f, call, body);
  finish(f, f->n_done + 1);
}

static const cJSON *get(const cJSON *json, const char *key) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, key);
  if (!value)
    fail_msg("no %s", key);
  return value;
}

static const cJSON *result(const struct call *call, int index) {
  const cJSON *item = cJSON_GetArrayItem(get(call->json, "results"), index);
  assert_non_null(item);
  return item;
}

static void expect_problem(const struct call *call, int status, const char *kind) {
  char type[64];
  snprintf(type, sizeof type, "urn:irrepd:%s", kind);
  assert_int_equal(call->reply.status, status);
  assert_string_equal(call->reply.content_type, "application/problem+json");
  assert_string_equal(get(call->json, "type")->valuestring, type);
  assert_int_equal(get(call->json, "status")->valueint, status);
  assert_int_equal(call->reply.retry_after_s > 0, status == 503);
}

static void expect_metric(struct fixture *f, const char *series, double wanted) {
  const double value = fake_served_metric(&f->served, series);
  if (!(value == wanted))
    fail_msg("%s is %g, not %g", series, value, wanted);
}

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  *state = f;
  return f && fake_served_init(&f->served) ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  const bool clean = fake_served_fini(&f->served);
  free(f);
  return clean ? 0 : -1;
}

#define PAIR "\"numbers\":[14,1],\"positions\":[[0.5,0,0],[1,2.25,3]]"
#define CELL "\"cell\":[[9,0,0],[0,9,0],[0,0,9]]"

static void test_whole_answer(void **state) {
  struct fixture *f = *state;
  struct call call;
  answer(f, &call, "{\"structures\":[{\"id\":\"a\"," PAIR "," CELL "}]}");
  assert_int_equal(call.reply.status, 200);
  assert_string_equal(call.reply.content_type, "application/json");
  char *timing = strstr(call.reply.body, ",\"timing\"");
  assert_non_null(timing);
  assert_int_equal(get(get(call.json, "timing"), "batch_structures")->valueint, 1);
  assert_int_equal(get(get(call.json, "timing"), "batch_atoms")->valueint, 2);
  *timing = '\0';
  assert_string_equal(
      call.reply.body,
      "{\"model\":\"silicon\",\"model_sha256\":"
      "\"c8b6c094bbbda1f69723dcf2333ab9c9086576065bd1554f7466c52f47f2720d\","
      "\"request_id\":\"request-1\",\"units\":{\"energy\":\"eV\",\"forces\":\"eV/Angstrom\","
      "\"stress\":\"eV/Angstrom^3\"},\"results\":[{\"id\":\"a\",\"status\":\"ok\",\"energy\":16.5,"
      "\"forces\":[[-0.5,-0,-0],[-1,-2.25,-3]],"
      "\"stress\":[[0.5,0,0],[0,0.25,0],[0,0,0.125]],\"n_edges\":2}]");
  expect_metric(f, "irrepd_inference_structures_total{model=\"silicon\",outcome=\"ok\"}", 1);
  expect_metric(f, "irrepd_inference_atoms_total{model=\"silicon\"}", 2);
  expect_metric(f, "irrepd_batch_structures_count{model=\"silicon\"}", 1);
  expect_metric(f, "irrepd_batch_flush_total{model=\"silicon\",reason=\"idle\"}", 1);
  expect_metric(f, "irrepd_memory_planned_bytes", 0);
  free_call(&call);
}

/* Any choice of properties, so that arrays the evaluator may not write are never asked for. */
static void test_properties(void **state) {
  struct fixture *f = *state;
  static const char *const names[] = {"energy", "forces", "stress", "energies"};
  for (unsigned chosen = 1; chosen < 16; chosen++) {
    char body[512];
    struct call call;
    int n = snprintf(body, sizeof body, "{\"structures\":[{" PAIR "," CELL "}],\"properties\":[");
    for (size_t i = 0; i < 4; i++)
      if (chosen >> i & 1)
        n += snprintf(body + n, sizeof body - (size_t)n, "%s\"%s\"", body[n - 1] == '[' ? "" : ",",
                      names[i]);
    snprintf(body + n, sizeof body - (size_t)n, "]}");
    answer(f, &call, body);
    for (size_t i = 0; i < 4; i++)
      assert_int_equal(cJSON_HasObjectItem(result(&call, 0), names[i]), chosen >> i & 1);
    free_call(&call);
  }
}

static void test_faults_of_the_request(void **state) {
  struct fixture *f = *state;
  struct call call;
  answer(f, &call, "{\"structures\":");
  expect_problem(&call, 400, "malformed-json");
  free_call(&call);
  answer(f, &call, "{\"structures\":[{" PAIR ",\"spin\":1}]}");
  expect_problem(&call, 400, "unknown-key");
  free_call(&call);
  begin_with(f, &call, "other", "{}", 2);
  finish(f, f->n_done + 1);
  expect_problem(&call, 404, "unknown-model");
  free_call(&call);
}

static void test_fault_of_the_only_structure(void **state) {
  struct fixture *f = *state;
  struct call call;
  answer(f, &call, "{\"structures\":[{\"numbers\":[14,79],\"positions\":[[0,0,0],[1,0,0]]}]}");
  expect_problem(&call, 422, "unknown-element");
  free_call(&call);
  answer(f, &call, "{\"structures\":[{\"numbers\":[14],\"positions\":[[666,0,0]]}]}");
  expect_problem(&call, 422, "result-not-finite");
  free_call(&call);
}

static void test_faults_among_good_structures(void **state) {
  struct fixture *f = *state;
  struct call call;
  answer(f, &call,
         "{\"structures\":[{" PAIR "},{\"numbers\":[79],\"positions\":[[0,0,0]],\"id\":\"gold\"},"
         "{\"numbers\":[14],\"positions\":[[666,0,0]]},7,{" PAIR "}]}");
  assert_int_equal(call.reply.status, 200);
  static const char *const kinds[] = {NULL, "urn:irrepd:unknown-element",
                                      "urn:irrepd:result-not-finite", "urn:irrepd:wrong-type",
                                      NULL};
  for (int i = 0; i < 5; i++) {
    const cJSON *item = result(&call, i);
    assert_string_equal(get(item, "status")->valuestring, kinds[i] ? "error" : "ok");
    if (kinds[i])
      assert_string_equal(get(get(item, "error"), "type")->valuestring, kinds[i]);
    else
      assert_true(get(item, "energy")->valuedouble == 16.5);
  }
  assert_string_equal(get(result(&call, 1), "id")->valuestring, "gold");
  expect_metric(f, "irrepd_inference_structures_total{model=\"silicon\",outcome=\"error\"}", 3);
  free_call(&call);
}

/* All faulty: answered without a batch. */
static void test_only_faults(void **state) {
  struct fixture *f = *state;
  struct call call;
  int before = atomic_load(&f->served.model->evaluations);
  answer(f, &call, "{\"structures\":[1,2]}");
  assert_int_equal(call.reply.status, 200);
  assert_int_equal(cJSON_GetArraySize(get(call.json, "results")), 2);
  assert_int_equal(atomic_load(&f->served.model->evaluations), before);
  free_call(&call);
}

/* A request of one chain of n atoms; malloc'ed. */
static char *chain(size_t n, const char *tail) {
  const size_t size = 128 + 48 * n + strlen(tail);
  char *text = malloc(size);
  assert_non_null(text);
  size_t at = (size_t)snprintf(text, size, "{\"structures\":[{\"numbers\":[");
  for (size_t i = 0; i < n; i++)
    at += (size_t)snprintf(text + at, size - at, i ? ",14" : "14");
  at += (size_t)snprintf(text + at, size - at, "],\"positions\":[");
  for (size_t i = 0; i < n; i++)
    at += (size_t)snprintf(text + at, size - at, "%s[%zu.25,0,0]", i ? "," : "", i);
  snprintf(text + at, size - at, "]}]%s}", tail);
  return text;
}

/* Planned on a worker (600 atoms), read and planned on one (18000), refused for their size. */
static void test_large_structures(void **state) {
  struct fixture *f = *state;
  struct call call;
  char *body = chain(600, "");
  answer(f, &call, body);
  assert_int_equal(call.reply.status, 200);
  assert_true(get(result(&call, 0), "energy")->valuedouble == 600 * 14.25 + 600 * 599 / 2.0);
  free_call(&call);
  free(body);
  body = chain(18000, "");
  assert_true(strlen(body) > 256 << 10);
  answer(f, &call, body);
  expect_problem(&call, 422, "too-large");
  assert_non_null(strstr(call.reply.body, " 1000000 bytes"));
  free_call(&call);
  body[strlen(body) - 1] = 'x';
  answer(f, &call, body);
  expect_problem(&call, 400, "malformed-json");
  free_call(&call);
  free(body);
}

static size_t wait_for(struct fixture *f, size_t (*value)(struct fixture *f), size_t wanted) {
  for (int i = 0; i < 20000 && value(f) != wanted; i++) {
    uv_run(&f->served.loop, UV_RUN_NOWAIT);
    usleep(100);
  }
  return value(f);
}

static size_t evaluations(struct fixture *f) {
  return (size_t)atomic_load(&f->served.model->evaluations);
}

static size_t running(struct fixture *f) {
  return predictor_stats(f->served.predictor).batches_running;
}

static size_t done(struct fixture *f) {
  return f->n_done;
}

/* Occupies both workers with a call each, until hold is cleared. */
static void occupy(struct fixture *f, struct call calls[2]) {
  size_t before = evaluations(f);
  atomic_store(&f->served.model->hold, 1);
  for (size_t i = 0; i < 2; i++) {
    begin(f, &calls[i], "{\"structures\":[{" PAIR "}]}");
    assert_int_equal(wait_for(f, evaluations, before + i + 1), before + i + 1);
  }
}

static void release(struct fixture *f) {
  atomic_store(&f->served.model->hold, 0);
}

/* What waits while the workers are busy becomes one batch, and every call gets its own answer. */
static void test_batching(void **state) {
  struct fixture *f = *state;
  struct call busy[2], calls[30];
  occupy(f, busy);
  for (size_t i = 0; i < 30; i++) {
    char body[128];
    snprintf(body, sizeof body, "{\"structures\":[{\"numbers\":[14],\"positions\":[[%zu,0,0]]}]}",
             i);
    begin(f, &calls[i], body);
  }
  assert_int_equal(predictor_stats(f->served.predictor).queued_structures, 30);
  assert_int_equal(predictor_stats(f->served.predictor).queued_atoms, 30);
  assert_true(predictor_stats(f->served.predictor).planned_bytes >= 2 * 2002);
  expect_metric(f, "irrepd_queue_structures{model=\"silicon\"}", 30);
  release(f);
  finish(f, 32);
  for (size_t i = 0; i < 30; i++) {
    assert_true(get(result(&calls[i], 0), "energy")->valuedouble == 14 + (double)i);
    assert_true(get(get(calls[i].json, "timing"), "batch_structures")->valueint > 4);
    free_call(&calls[i]);
  }
  expect_metric(f, "irrepd_queue_structures{model=\"silicon\"}", 0);
  free_call(&busy[0]);
  free_call(&busy[1]);
}

/* The same structure has the same text alone and in company. */
static void test_same_bits(void **state) {
  struct fixture *f = *state;
  struct call alone, busy[2], calls[20];
  static const char body[] = "{\"structures\":[{\"numbers\":[14,1],\"positions\":"
                             "[[0.1,0.2,0.3],[1e-3,7.7,123.456]]}],\"properties\":[\"forces\"]}";
  answer(f, &alone, body);
  occupy(f, busy);
  for (size_t i = 0; i < 20; i++)
    begin(f, &calls[i], body);
  release(f);
  finish(f, 23);
  char *wanted = cJSON_PrintUnformatted(result(&alone, 0));
  for (size_t i = 0; i < 20; i++) {
    char *got = cJSON_PrintUnformatted(result(&calls[i], 0));
    assert_string_equal(got, wanted);
    free(got);
    free_call(&calls[i]);
  }
  free(wanted);
  free_call(&alone);
  free_call(&busy[0]);
  free_call(&busy[1]);
}

static void test_deadline(void **state) {
  struct fixture *f = *state;
  struct call busy[2], late, mixed;
  answer(f, &late, "{\"structures\":[{" PAIR "}],\"deadline_ms\":0}");
  expect_problem(&late, 504, "deadline-passed");
  free_call(&late);
  occupy(f, busy);
  size_t before = evaluations(f);
  begin(f, &late, "{\"structures\":[{" PAIR "}],\"deadline_ms\":5}");
  begin(f, &mixed, "{\"structures\":[{" PAIR "},{" PAIR "}],\"deadline_ms\":5}");
  finish(f, 3); /* while the workers are still busy */
  expect_problem(&late, 504, "deadline-passed");
  assert_int_equal(mixed.reply.status, 200);
  assert_int_equal(get(get(result(&mixed, 1), "error"), "status")->valueint, 504);
  release(f);
  finish(f, 5);
  assert_int_equal(evaluations(f), before);
  expect_metric(f, "irrepd_requests_cancelled_total{reason=\"deadline\"}", 3);
  expect_metric(f, "irrepd_inference_structures_total{model=\"silicon\",outcome=\"expired\"}", 4);
  free_call(&late);
  free_call(&mixed);
  free_call(&busy[0]);
  free_call(&busy[1]);
}

static void test_cancel(void **state) {
  struct fixture *f = *state;
  struct call busy[2], waiting, ready, reading;
  occupy(f, busy);
  size_t before = evaluations(f);
  begin(f, &waiting, "{\"structures\":[{" PAIR "},{" PAIR "}]}");
  begin(f, &ready, "{");
  char *body = chain(18000, "");
  begin(f, &reading, body);
  predict_cancel(waiting.job);
  predict_cancel(ready.job);
  predict_cancel(reading.job);
  assert_int_equal(predictor_stats(f->served.predictor).queued_structures, 0);
  predict_cancel(busy[0].job); /* alone in its batch, which is told to stop */
  assert_int_equal(wait_for(f, running, 1), 1);
  assert_int_equal(atomic_load(&f->served.model->cancelled), 1);
  release(f);
  assert_int_equal(wait_for(f, running, 0), 0);
  assert_int_equal(wait_for(f, done, 1), 1);
  assert_int_equal(evaluations(f), before);
  assert_int_equal(busy[1].n_replies, 1);
  assert_int_equal(busy[0].n_replies + waiting.n_replies + ready.n_replies + reading.n_replies, 0);
  expect_metric(f, "irrepd_requests_cancelled_total{reason=\"disconnect\"}", 4);
  expect_metric(f, "irrepd_inference_structures_total{model=\"silicon\",outcome=\"cancelled\"}", 3);
  free_call(&busy[1]);
  free(body);
}

/* One of a batch goes; the others of the batch are answered. */
static void test_cancel_one_of_a_batch(void **state) {
  struct fixture *f = *state;
  struct call busy[2], calls[3];
  occupy(f, busy);
  for (size_t i = 0; i < 3; i++)
    begin(f, &calls[i], "{\"structures\":[{" PAIR "}]}");
  predict_cancel(busy[0].job); /* its worker takes the three */
  assert_int_equal(wait_for(f, evaluations, 4), 4);
  predict_cancel(calls[1].job);
  release(f);
  finish(f, 3);
  assert_int_equal(calls[0].n_replies + calls[2].n_replies, 2);
  assert_int_equal(calls[1].n_replies, 0);
  free_call(&calls[0]);
  free_call(&calls[2]);
  free_call(&busy[1]);
}

static void test_queue_full(void **state) {
  struct fixture *f = *state;
  struct call busy[2], fits, full;
  char body[4096];
  int n = snprintf(body, sizeof body, "{\"structures\":[{" PAIR "}");
  for (int i = 1; i < 33; i++)
    n += snprintf(body + n, sizeof body - (size_t)n, ",{" PAIR "}");
  snprintf(body + n, sizeof body - (size_t)n, "]}");
  occupy(f, busy);
  begin(f, &fits, body);
  begin(f, &full, body); /* 33 more than the 31 that are free */
  finish(f, 1);
  expect_problem(&full, 503, "queue-full");
  release(f);
  finish(f, 4);
  assert_int_equal(fits.reply.status, 200);
  free_call(&fits);
  free_call(&full);
  free_call(&busy[0]);
  free_call(&busy[1]);
}

static void test_more_than_the_queue_holds(void **state) {
  struct fixture *f = *state;
  struct call call;
  f->served.config.max_queue = 1;
  predictor_limits_changed(f->served.predictor);
  answer(f, &call, "{\"structures\":[{" PAIR "},{" PAIR "}]}");
  expect_problem(&call, 422, "too-many-structures");
  free_call(&call);
}

static void on_drained(void *context) {
  ((struct fixture *)context)->n_drained++;
}

static size_t drained(struct fixture *f) {
  return f->n_drained;
}

/* What was accepted is answered, what comes later refused, and then it is said once. */
static void test_drain(void **state) {
  struct fixture *f = *state;
  struct call busy[2], waiting, later;
  occupy(f, busy);
  begin(f, &waiting, "{\"structures\":[{" PAIR "}]}");
  predictor_drain(f->served.predictor, on_drained, f);
  begin(f, &later, "{\"structures\":[{" PAIR "}]}");
  finish(f, 1);
  expect_problem(&later, 503, "draining");
  assert_int_equal(f->n_drained, 0);
  release(f);
  finish(f, 4);
  assert_int_equal(wait_for(f, drained, 1), 1);
  uv_run(&f->served.loop, UV_RUN_NOWAIT);
  assert_int_equal(f->n_drained, 1);
  assert_int_equal(waiting.reply.status, 200);
  expect_metric(f, "irrepd_draining", 1);
  free_call(&waiting);
  free_call(&later);
  free_call(&busy[0]);
  free_call(&busy[1]);
}

static void test_drain_when_idle(void **state) {
  struct fixture *f = *state;
  predictor_drain(f->served.predictor, on_drained, f);
  assert_int_equal(f->n_drained, 0);
  assert_int_equal(wait_for(f, drained, 1), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_whole_answer),
      TEST(test_properties),
      TEST(test_faults_of_the_request),
      TEST(test_fault_of_the_only_structure),
      TEST(test_faults_among_good_structures),
      TEST(test_only_faults),
      TEST(test_large_structures),
      TEST(test_batching),
      TEST(test_same_bits),
      TEST(test_deadline),
      TEST(test_cancel),
      TEST(test_cancel_one_of_a_batch),
      TEST(test_queue_full),
      TEST(test_more_than_the_queue_holds),
      TEST(test_drain),
      TEST(test_drain_when_idle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
