/* Trajectories in the harmonic well of the fake evaluator, played step by step without threads. */
#ifndef TESTS_UNIT_SUPPORT_TRAJECTORY_H
#define TESTS_UNIT_SUPPORT_TRAJECTORY_H

#include "server/drivers/trajectory.h"
#include "tests/unit/fake_evaluator.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define PAIR "{\"id\":\"p\",\"numbers\":[14,1],\"positions\":[[0.5,0.25,0],[0,0.5,-0.5]]}"

struct play {
  struct request request;
  struct trajectory_spec spec;
  struct trajectory *t;
};

/* options: the object of the kind. */
static inline void play_begin(struct play *play, enum trajectory_kind kind, const char *structure,
                              const char *options, enum trajectory_form form) {
  const struct trajectory_limits limits = {.codec = {.max_structures = 8, .max_atoms = 1000},
                                           .max_steps = 10000};
  struct problem problem;
  char text[2048];
  snprintf(text, sizeof text, "{\"structures\":[%s],\"%s\":%s}", structure,
           trajectory_kind_name(kind), options);
  play->request = (struct request){0};
  if (!codec_trajectory_read(text, strlen(text), TRAJECTORY_JSON, kind, &limits, &play->request,
                             &play->spec, &problem))
    fail_msg("%s: %s", text, problem.detail);
  play->t = trajectory_new(&play->spec, &play->request, 0, "silicon", form);
  assert_non_null(play->t);
}

static inline void play_end(struct play *play) {
  trajectory_free(play->t);
  request_fini(&play->request);
}

/* Evaluates what is asked for, and takes the step. */
static inline void play_step(struct play *play) {
  struct request asked = {0};
  struct driver *driver = &play->t->driver;
  double forces[64];
  struct irrep_result result = IRREP_RESULT_INIT;
  struct irrep_model model = {0};
  assert_true(driver->kind->request(driver, &asked));
  assert_int_equal(asked.n_items, 1);
  assert_true(asked.items[0].structure.n_atoms <= 20);
  result.forces = forces;
  fake_evaluate_one(&model, &asked.items[0].structure, &result);
  request_fini(&asked);
  assert_int_equal(driver->kind->answer(driver, &result), DRIVER_WAITS);
  trajectory_step(play->t);
}

static inline cJSON *play_json(const struct text *text) {
  cJSON *json = cJSON_ParseWithLength(text->bytes, text->size);
  assert_non_null(json);
  return json;
}

static inline double play_number(const cJSON *json, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
  assert_true(cJSON_IsNumber(item));
  return item->valuedouble;
}

static inline const char *play_text(const cJSON *json, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
  return cJSON_IsString(item) ? item->valuestring : "";
}

#endif
