/* Runs over the fake evaluator, and owners that note what they are told. */
#ifndef TESTS_UNIT_SUPPORT_RUN_H
#define TESTS_UNIT_SUPPORT_RUN_H

#include "server/runs/run.h"
#include "tests/unit/fake_served.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define STRUCTURES_MAX 100

/* What an owner was told: frames and results of each structure, joined. */
struct owner {
  struct run *run;
  struct text told[STRUCTURES_MAX];
  enum trajectory_end ends[STRUCTURES_MAX];
  size_t n_begun, n_events, n_quiet, n_ended, holds_at;
  int begun_status, ended_status, failed_status; /* the last of a structure's problems */
};

static inline void on_begun(void *context, const struct problem *problem) {
  struct owner *owner = context;
  owner->n_begun++;
  owner->begun_status = problem ? problem->status : 0;
}

static inline void on_event(void *context, const struct run_event *event) {
  struct owner *owner = context;
  assert_int_equal(owner->n_begun, 1);
  assert_int_equal(owner->n_ended, 0);
  assert_true(event->structure < STRUCTURES_MAX);
  assert_int_equal(owner->ends[event->structure], TRAJECTORY_RUNS); /* it has ended once */
  text_add(&owner->told[event->structure], event->line, event->size);
  owner->ends[event->structure] = event->end;
  assert_int_equal(event->problem != NULL, event->end == TRAJECTORY_FAILED);
  if (event->problem)
    owner->failed_status = event->problem->status;
  if (++owner->n_events == owner->holds_at)
    run_hold(owner->run, true);
}

static inline void on_quiet(void *context) {
  ((struct owner *)context)->n_quiet++;
}

static inline void on_ended(void *context, const struct problem *problem) {
  struct owner *owner = context;
  owner->n_ended++;
  owner->ended_status = problem ? problem->status : 0;
}

static inline void owner_fini(struct owner *owner) {
  run_free(owner->run);
  for (size_t i = 0; i < STRUCTURES_MAX; i++)
    text_fini(&owner->told[i]);
}

static inline struct run_pool pool_of(struct fake_served *fake) {
  fake->config.max_steps = 10000;
  fake->config.max_structures = STRUCTURES_MAX;
  fake->config.max_queue = 1000;
  fake->config.memory_budget = 10000000;
  predictor_limits_changed(fake->predictor);
  return (struct run_pool){.loop = &fake->loop,
                           .config = &fake->config,
                           .predictor = fake->predictor,
                           .metrics = fake->metrics};
}

/* A body of n structures, each another; bad: the one of an element that no model knows. */
static inline char *body_of(size_t n, size_t bad) {
  struct text text = {0};
  char structure[128];
  text_puts(&text, "{\"structures\":[");
  for (size_t i = 0; i < n; i++) {
    snprintf(structure, sizeof structure,
             "%s{\"numbers\":[14,%d],\"positions\":[[0.%zu,0.5,0],[0.5,0,0.25]]}", i > 0 ? "," : "",
             i == bad ? 7 : 1, i + 1);
    text_puts(&text, structure);
  }
  text_puts(&text, "],\"relax\":{\"trajectory\":1,\"fmax\":0.01,\"optimizer\":\"fire\"}}");
  return text_take(&text, NULL);
}

static inline void begin_aged(struct run_pool *pool, struct owner *owner, char *body,
                              const struct run_past *past, double age_ms) {
  *owner = (struct owner){0};
  const struct run_call call = {.kind = TRAJECTORY_RELAX,
                                .model = FAKE_MODEL,
                                .client = "somebody",
                                .body = body,
                                .size = strlen(body),
                                .past = past,
                                .age_ms = age_ms,
                                .owner = {on_begun, on_event, on_quiet, on_ended, NULL, owner}};
  owner->run = run_new(pool, &call);
  assert_non_null(owner->run);
  assert_int_equal(owner->n_begun, 0);
}

static inline void begin(struct run_pool *pool, struct owner *owner, char *body,
                         const struct run_past *past) {
  begin_aged(pool, owner, body, past, 0);
}

static inline void finish(struct run_pool *pool, const struct owner *owner) {
  WAIT_FOR(pool->loop, owner->n_ended > 0);
  assert_int_equal(owner->n_ended, 1);
}

static inline int set_up(void **state) {
  struct fake_served *fake = malloc(sizeof *fake);
  *state = fake;
  return fake && fake_served_init(fake) ? 0 : -1;
}

static inline int tear_down(void **state) {
  const bool clean = fake_served_fini(*state);
  free(*state);
  return clean ? 0 : -1;
}

#endif
