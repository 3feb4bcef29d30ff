#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/predictor.h"
#include "tests/unit/fake_served.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A call and what it got. */
struct call {
  struct predict_job *job;
  struct reply reply;
  size_t n_replies;
  cJSON *json;
};

static void on_done(void *context, struct reply *reply) {
  struct call *call = context;
  call->n_replies++;
  call->reply = *reply;
  call->json = cJSON_Parse(reply->body);
}

#define PAIR "{\"numbers\":[14,1],\"positions\":[[0,0,0],[1,0,0]]}"

/* Begins a call as `request` says beside its body, which is freed. */
static void begin_call(struct fake_served *fake, struct call *call, struct text *body,
                       struct predict_call request) {
  *call = (struct call){0};
  request.model = FAKE_MODEL;
  request.body = body->bytes;
  request.size = body->size;
  request.request_id = "r";
  request.done = on_done;
  request.context = call;
  call->job = predict_call(fake->predictor, &request);
  assert_non_null(call->job);
  text_fini(body);
}

/* Begins a call of n pairs. */
static void begin(struct fake_served *fake, struct call *call, const char *client, size_t n,
                  bool estimates) {
  struct text body = {0};
  text_puts(&body, "{\"structures\":[" PAIR);
  for (size_t i = 1; i < n; i++)
    text_puts(&body, "," PAIR);
  text_puts(&body, "]}");
  begin_call(fake, call, &body, (struct predict_call){.client = client, .estimates = estimates});
}

static void finish(struct fake_served *fake, const struct call *call) {
  while (call->n_replies == 0)
    uv_run(&fake->loop, UV_RUN_ONCE);
}

static void end(struct call *call, int status) {
  assert_int_equal(call->n_replies, 1);
  assert_int_equal(call->reply.status, status);
  cJSON_Delete(call->json);
  free(call->reply.body);
}

static const cJSON *get(const cJSON *json, const char *key) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, key);
  assert_non_null(value);
  return value;
}

static int set_up(void **state) {
  struct fake_served *fake = calloc(1, sizeof *fake);
  *state = fake;
  return fake && fake_served_init(fake) ? 0 : -1;
}

static int tear_down(void **state) {
  bool good = fake_served_fini(*state);
  free(*state);
  return good ? 0 : -1;
}

/* Holds both workers until release. */
static void occupy(struct fake_served *fake, struct call busy[2]) {
  atomic_store(&fake->model->hold, 1);
  for (int i = 0; i < 2; i++) {
    begin(fake, &busy[i], NULL, 1, false);
    while (predictor_stats(fake->predictor).batches_running < (size_t)i + 1)
      uv_run(&fake->loop, UV_RUN_ONCE);
  }
}

static void release(struct fake_served *fake, struct call busy[2]) {
  atomic_store(&fake->model->hold, 0);
  for (int i = 0; i < 2; i++) {
    finish(fake, &busy[i]);
    end(&busy[i], 200);
  }
}

/* A client has three quarters of the queue of 64 unless told otherwise; others go on. */
static void test_share_of_a_client(void **state) {
  struct fake_served *fake = *state;
  struct call busy[2], a, b, c, d;
  occupy(fake, busy);
  begin(fake, &a, "a", 40, false);
  begin(fake, &b, "a", 9, false);
  finish(fake, &b);
  assert_string_equal(get(b.json, "type")->valuestring, "urn:irrepd:client-quota");
  assert_true(b.reply.retry_after_s >= 1);
  end(&b, 429);
  begin(fake, &c, "b", 9, false);
  begin(fake, &d, "a", 8, false);
  assert_int_equal(predictor_stats(fake->predictor).queued_structures, 57);
  begin(fake, &b, "b", 8, false);
  finish(fake, &b);
  assert_string_equal(get(b.json, "type")->valuestring, "urn:irrepd:queue-full");
  end(&b, 503);
  predict_cancel(d.job); /* gives its share back */
  begin(fake, &d, "a", 8, false);
  release(fake, busy);
  finish(fake, &a);
  finish(fake, &c);
  finish(fake, &d);
  end(&a, 200);
  end(&c, 200);
  end(&d, 200);
  begin(fake, &a, "a", 40, false);
  finish(fake, &a);
  end(&a, 200);
}

static void test_limits_change(void **state) {
  struct fake_served *fake = *state;
  struct call busy[2], a;
  fake->config.max_queue_client = 3;
  begin(fake, &a, "a", 4, false);
  finish(fake, &a);
  end(&a, 422);
  fake->config.max_queue_client = 1000; /* beyond the queue: the queue */
  fake->config.max_queue = 5;
  predictor_limits_changed(fake->predictor);
  occupy(fake, busy);
  begin(fake, &a, "a", 6, false);
  finish(fake, &a);
  end(&a, 422);
  fake->config.max_queue_atoms = 6;
  predictor_limits_changed(fake->predictor);
  struct call b;
  begin(fake, &a, "a", 2, false);
  begin(fake, &b, "b", 2, false);
  finish(fake, &b);
  end(&b, 503);
  release(fake, busy);
  finish(fake, &a);
  end(&a, 200);
}

#define MANY 30
#define ATOMS 200

/* Begins a call of many structures, whose forces are to be listed as JSON. */
static void begin_listing(struct fake_served *fake, struct call *call) {
  static const int32_t one = ATOMS, silicon = 14;
  static const double origin[3];
  struct text body = {0};
  char head[512];
  const int n =
      snprintf(head, sizeof head,
               "{\"inputs\":["
               "{\"name\":\"n_atoms\",\"datatype\":\"INT32\",\"shape\":[%d],"
               "\"parameters\":{\"binary_data_size\":%d}},"
               "{\"name\":\"numbers\",\"datatype\":\"INT32\",\"shape\":[%d],"
               "\"parameters\":{\"binary_data_size\":%d}},"
               "{\"name\":\"positions\",\"datatype\":\"FP64\",\"shape\":[%d,3],"
               "\"parameters\":{\"binary_data_size\":%d}}],\"outputs\":[{\"name\":\"forces\"}]}",
               MANY, 4 * MANY, MANY * ATOMS, 4 * MANY * ATOMS, MANY * ATOMS, 24 * MANY * ATOMS);
  text_add(&body, head, (size_t)n);
  for (int i = 0; i < MANY; i++)
    text_add(&body, (const char *)&one, sizeof one);
  for (int i = 0; i < MANY * ATOMS; i++)
    text_add(&body, (const char *)&silicon, sizeof silicon);
  for (int i = 0; i < MANY * ATOMS; i++)
    text_add(&body, (const char *)origin, sizeof origin);
  begin_call(fake, call, &body,
             (struct predict_call){.json_size = (size_t)n,
                                   .body_format = FORMAT_KSERVE,
                                   .answer_format = FORMAT_KSERVE});
}

/* Written on a worker, be it that somebody still waits for it or not. */
static void test_long_answers(void **state) {
  struct fake_served *fake = *state;
  struct call call;
  begin_listing(fake, &call);
  finish(fake, &call);
  const cJSON *output = cJSON_GetArrayItem(get(call.json, "outputs"), 0);
  assert_int_equal(cJSON_GetArraySize(get(output, "data")), 3 * MANY * ATOMS);
  end(&call, 200);
  begin_listing(fake, &call);
  while (!call.job->is_written)
    uv_run(&fake->loop, UV_RUN_ONCE);
  assert_true(call.job->on_worker);
  predict_cancel(call.job);
  while (fake->predictor->n_jobs > 0)
    uv_run(&fake->loop, UV_RUN_ONCE);
  assert_int_equal(call.n_replies, 0);
  begin_listing(fake, &call);
  while (!call.job->is_ready)
    uv_run(&fake->loop, UV_RUN_NOWAIT);
  predict_cancel(call.job);
  assert_int_equal(fake->predictor->n_jobs, 0);
}

/* Begins a call of a pair whose body takes long to read, for it is mostly blanks. */
static void begin_long(struct fake_served *fake, struct call *call) {
  struct text body = {0};
  text_puts(&body, "{\"structures\":[" PAIR "]");
  for (int i = 0; i < 300000; i++)
    text_puts(&body, " ");
  text_puts(&body, "}");
  begin_call(fake, call, &body, (struct predict_call){0});
}

/* Half of the workers read, and trees of two such bodies are more than may be at a time. */
static void test_reading_in_turns(void **state) {
  struct fake_served *fake = *state;
  struct call calls[4];
  predictor_free(fake->predictor);
  fake->config.workers = 4;
  fake->predictor = predictor_new_with(&fake_evaluator, &fake->loop, &fake->config, fake->registry,
                                       fake->metrics);
  assert_non_null(fake->predictor);
  fake->config.max_receiving_bytes = (size_t)40 << 20;
  for (size_t i = 0; i < 4; i++) {
    begin_long(fake, &calls[i]);
    assert_true(calls[i].job->on_worker == (i == 0) && calls[i].job->is_unread == (i > 0));
  }
  predict_cancel(calls[3].job);
  predict_cancel(calls[1].job);
  finish(fake, &calls[2]);
  assert_int_equal(fake->predictor->tree_bytes, 0);
  assert_null(fake->predictor->unread);
  finish(fake, &calls[0]);
  end(&calls[0], 200);
  end(&calls[2], 200);
  assert_true(calls[1].n_replies == 0 && calls[3].n_replies == 0);
  fake->config.max_receiving_bytes = (size_t)150 << 20;
  for (size_t i = 0; i < 3; i++) {
    begin_long(fake, &calls[i]);
    assert_true(calls[i].job->on_worker == (i < 2));
  }
  for (size_t i = 0; i < 3; i++) {
    finish(fake, &calls[i]);
    end(&calls[i], 200);
  }
}

/* What was accepted is computed, though it would not be accepted any more. */
static void test_less_memory(void **state) {
  struct fake_served *fake = *state;
  struct call busy[2], a, b;
  occupy(fake, busy);
  begin(fake, &a, "a", 1, false);
  fake->config.memory_budget = 1000;
  predictor_limits_changed(fake->predictor);
  release(fake, busy);
  finish(fake, &a);
  end(&a, 200);
  begin(fake, &b, "b", 1, false);
  finish(fake, &b);
  end(&b, 422);
}

/* Begins a call of n structures, each of so many atoms in one place. */
static void begin_large(struct fake_served *fake, struct call *call, int n, int n_atoms) {
  struct text body = {0};
  text_puts(&body, "{\"structures\":[");
  for (int i = 0; i < n; i++) {
    text_puts(&body, i > 0 ? ",{\"numbers\":[14" : "{\"numbers\":[14");
    for (int k = 1; k < n_atoms; k++)
      text_puts(&body, ",14");
    text_puts(&body, "],\"positions\":[[0,0,0]");
    for (int k = 1; k < n_atoms; k++)
      text_puts(&body, ",[0,0,0]");
    text_puts(&body, "]}");
  }
  text_puts(&body, "]}");
  begin_call(fake, call, &body, (struct predict_call){0});
}

/* Few atoms of many edges are planned on a worker. */
static void test_many_edges(void **state) {
  struct fake_served *fake = *state;
  struct call call;
  fake->config.memory_budget = (size_t)1 << 30;
  predictor_limits_changed(fake->predictor);
  begin_large(fake, &call, 1, 300);
  assert_true(call.job->on_worker);
  finish(fake, &call);
  end(&call, 200);
  /* Of 36 million edges, in two goes of at least 8, or of one structure. */
  fake->config.memory_budget = (size_t)20 << 20;
  fake->config.max_batch_bytes = (size_t)20 << 20;
  predictor_limits_changed(fake->predictor);
  begin_large(fake, &call, 4, 3000);
  finish(fake, &call);
  assert_int_equal(cJSON_GetArraySize(get(call.json, "results")), 4);
  end(&call, 200);
  begin(fake, &call, "a", 4, false);
  assert_false(call.job->on_worker);
  finish(fake, &call);
  end(&call, 200);
}

/* A request alone may hold more than all together. */
static void test_bytes_that_wait(void **state) {
  struct fake_served *fake = *state;
  struct call busy[2], a, b;
  occupy(fake, busy);
  const size_t most = fake->predictor->held_bytes + 10000;
  fake->config.max_receiving_bytes = most;
  begin(fake, &a, "a", 2, false);
  assert_true(fake->predictor->held_bytes <= most);
  begin(fake, &b, "b", 30, false);
  finish(fake, &b);
  assert_string_equal(get(b.json, "type")->valuestring, "urn:irrepd:queue-full");
  end(&b, 503);
  release(fake, busy);
  finish(fake, &a);
  end(&a, 200);
  assert_int_equal(fake->predictor->held_bytes, 0);
  begin(fake, &b, "b", 30, false);
  assert_true(fake->predictor->held_bytes > 10000);
  finish(fake, &b);
  end(&b, 200);
  assert_int_equal(fake->predictor->held_bytes, 0);
}

/* Nothing is computed, and the sizes are those that were planned. */
static void test_estimate(void **state) {
  struct fake_served *fake = *state;
  struct call call;
  const int before = atomic_load(&fake->model->evaluations);
  begin(fake, &call, "a", 3, true);
  finish(fake, &call);
  const cJSON *total = get(call.json, "total");
  assert_int_equal(get(total, "n_atoms")->valueint, 6);
  assert_int_equal(get(total, "n_edges")->valueint, 6);
  assert_int_equal(get(total, "bytes")->valueint, 6 * FAKE_ATOM_BYTES + 6);
  assert_true(cJSON_IsNull(get(total, "compute_ms")));
  assert_int_equal(cJSON_GetArraySize(get(call.json, "results")), 3);
  assert_int_equal(atomic_load(&fake->model->evaluations), before);
  end(&call, 200);
  begin(fake, &call, "a", 1, false);
  finish(fake, &call);
  end(&call, 200);
  begin(fake, &call, "a", 1, true); /* now a batch has been measured */
  finish(fake, &call);
  assert_true(get(get(call.json, "total"), "compute_ms")->valuedouble >= 0);
  assert_true(cJSON_IsNumber(get(get(call.json, "total"), "compute_ms")));
  end(&call, 200);
  fake->config.max_atoms = 1;
  begin(fake, &call, "a", 1, true);
  finish(fake, &call);
  end(&call, 422);
}

/* A model that is not in memory is loaded once for all that come, also after a client has gone. */
static void test_waits_for_the_model(void **state) {
  struct fake_served *fake = *state;
  struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  struct call calls[4];
  assert_int_equal(atomic_load(&fake->model->violations), 0);
  registry_unload(served);
  for (size_t i = 0; i < 4; i++)
    begin(fake, &calls[i], "a", 1, i == 3);
  assert_int_equal(served->state, MODEL_LOADING);
  assert_int_equal(predictor_stats(fake->predictor).queued_structures, 0);
  predict_cancel(calls[1].job);
  for (size_t i = 0; i < 4; i++)
    if (i != 1) {
      finish(fake, &calls[i]);
      end(&calls[i], 200);
    }
  assert_int_equal(calls[1].n_replies, 0);
  assert_int_equal(registry_users(served), 0);
  fake->model = served->model;
}

static void test_model_that_cannot_be_loaded(void **state) {
  struct fake_served *fake = *state;
  struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  struct irrep_model *model = fake_model(); /* for what the fixture looks at in the end */
  struct call call;
  registry_unload(served);
  unlink(fake->file);
  begin(fake, &call, "a", 1, false);
  finish(fake, &call);
  assert_string_equal(get(call.json, "type")->valuestring, "urn:irrepd:model-not-ready");
  end(&call, 503);
  begin(fake, &call, "a", 1, false); /* it has failed: not tried again for each request */
  finish(fake, &call);
  end(&call, 503);
  fake->model = model;
  fake_served_fini(fake);
  free(model);
  assert_true(fake_served_init(fake));
}

/* Each answer names the version that it comes from; both are in memory until the first is done. */
static void test_swap_under_load(void **state) {
  struct fake_served *fake = *state;
  struct served_model *served = registry_find(fake->registry, FAKE_MODEL);
  struct call before, after;
  char old[65];
  memcpy(old, served->sha256, sizeof old);
  atomic_store(&fake->model->hold, 1);
  begin(fake, &before, "a", 1, false);
  while (predictor_stats(fake->predictor).batches_running < 1)
    uv_run(&fake->loop, UV_RUN_ONCE);
  FILE *file = fopen(fake->file, "wb");
  assert_non_null(file);
  fputs(FAKE_FILE " of another version", file);
  fclose(file);
  registry_reload(fake->registry);
  while (strcmp(served->sha256, old) == 0)
    uv_run(&fake->loop, UV_RUN_ONCE);
  begin(fake, &after, "a", 1, false);
  finish(fake, &after);
  assert_string_equal(get(after.json, "model_sha256")->valuestring, served->sha256);
  end(&after, 200);
  assert_int_equal(before.n_replies, 0);
  atomic_store(&fake->model->hold, 0);
  finish(fake, &before);
  assert_string_equal(get(before.json, "model_sha256")->valuestring, old);
  end(&before, 200);
  fake->model = served->model;
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_share_of_a_client),   TEST(test_limits_change),
      TEST(test_less_memory),         TEST(test_many_edges),
      TEST(test_bytes_that_wait),     TEST(test_estimate),
      TEST(test_waits_for_the_model), TEST(test_model_that_cannot_be_loaded),
      TEST(test_swap_under_load),     TEST(test_long_answers),
      TEST(test_reading_in_turns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
