/* Predict calls of a model of the fake evaluator (fake_served.h), and what they get. */
#ifndef TESTS_UNIT_FAKE_CALLS_H
#define TESTS_UNIT_FAKE_CALLS_H

#include "core/base/text.h"
#include "server/base/pieces.h"
#include "server/jobs/predictor.h"
#include "tests/unit/fake_served.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A call and what it got. */
struct fake_call {
  struct predict_job *job;
  struct reply reply;
  size_t n_replies;
  cJSON *json;
};

static inline void on_done(void *context, struct reply *reply) {
  struct fake_call *call = context;
  call->n_replies++;
  call->reply = *reply;
  if (reply->pieces) {
    call->reply.body = pieces_join(reply->pieces);
    pieces_free(reply->pieces);
  }
  call->json = cJSON_Parse(call->reply.body);
}

#define PAIR "{\"numbers\":[14,1],\"positions\":[[0,0,0],[1,0,0]]}"

/* Begins a call as `request` says beside its body, which is taken. */
static inline void begin_call(struct fake_served *fake, struct fake_call *call, struct text *body,
                              struct predict_call request) {
  *call = (struct fake_call){0};
  request.model = FAKE_MODEL;
  request.body = text_take(body, &request.size);
  request.request_id = "r";
  request.done = on_done;
  request.context = call;
  call->job = predict_call(fake->predictor, &request);
  assert_non_null(call->job);
}

/* Begins a call of n pairs, with more members behind them. */
static inline void begin_pairs(struct fake_served *fake, struct fake_call *call, const char *client,
                               size_t n, const char *members, bool estimates) {
  struct text body = {0};
  text_puts(&body, "{\"structures\":[" PAIR);
  for (size_t i = 1; i < n; i++)
    text_puts(&body, "," PAIR);
  text_puts(&body, "]");
  text_puts(&body, members);
  text_puts(&body, "}");
  begin_call(fake, call, &body, (struct predict_call){.client = client, .estimates = estimates});
}

/* Begins a call of n pairs. */
static inline void begin(struct fake_served *fake, struct fake_call *call, const char *client,
                         size_t n, bool estimates) {
  begin_pairs(fake, call, client, n, "", estimates);
}

/* Room for requests of so many pairs that they are planned in turns. */
#define PLANNED_LATER 300 /* on a worker */
#define TWO_TURNS 5000

static inline void allow_many(struct fake_served *fake) {
  fake->config.max_structures = 10000;
  fake->config.max_queue = 1000000;
  fake->config.memory_budget = (size_t)1 << 30;
  predictor_limits_changed(fake->predictor);
}

/* Begins a call of a pair whose body takes long to read, for it is mostly blanks. */
static inline void begin_long(struct fake_served *fake, struct fake_call *call) {
  struct text body = {0};
  text_puts(&body, "{\"structures\":[" PAIR "]");
  for (int i = 0; i < 300000; i++)
    text_puts(&body, " ");
  text_puts(&body, "}");
  begin_call(fake, call, &body, (struct predict_call){0});
}

/* Begins a call of n structures, each of so many atoms in one place. */
static inline void begin_large(struct fake_served *fake, struct fake_call *call, int n,
                               int n_atoms) {
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

#define MANY 30
#define ATOMS 200

/* Begins a call of many structures, whose forces are to be listed as JSON. */
static inline void begin_listing(struct fake_served *fake, struct fake_call *call) {
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

static inline void finish(struct fake_served *fake, const struct fake_call *call) {
  WAIT_FOR(&fake->loop, call->n_replies != 0);
}

static inline void end(struct fake_call *call, int status) {
  assert_int_equal(call->n_replies, 1);
  assert_int_equal(call->reply.status, status);
  cJSON_Delete(call->json);
  free(call->reply.body);
}

static inline const cJSON *get(const cJSON *json, const char *key) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, key);
  assert_non_null(value);
  return value;
}

/* Holds both workers until release. */
static inline void occupy(struct fake_served *fake, struct fake_call busy[2]) {
  atomic_store(&fake->model->hold, 1);
  for (int i = 0; i < 2; i++) {
    begin(fake, &busy[i], NULL, 1, false);
    WAIT_FOR(&fake->loop, predictor_stats(fake->predictor).batches_running >= (size_t)i + 1);
  }
}

static inline void release(struct fake_served *fake, struct fake_call busy[2]) {
  atomic_store(&fake->model->hold, 0);
  for (int i = 0; i < 2; i++) {
    finish(fake, &busy[i]);
    end(&busy[i], 200);
  }
}

static inline int set_up_served(void **state) {
  struct fake_served *fake = calloc(1, sizeof *fake);
  *state = fake;
  return fake && fake_served_init(fake) ? 0 : -1;
}

static inline int tear_down_served(void **state) {
  bool good = fake_served_fini(*state);
  free(*state);
  return good ? 0 : -1;
}

#endif
