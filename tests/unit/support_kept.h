/* Kept runs over the fake evaluator, in a folder of a test's own. */
#ifndef TESTS_UNIT_SUPPORT_KEPT_H
#define TESTS_UNIT_SUPPORT_KEPT_H

#include "server/runs/kept_run.h"
#include "tests/unit/fake_served.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* Two atoms that swing about the origin. */
#define SWING(steps)                                                                               \
  "{\"structures\":[{\"numbers\":[14,1],\"positions\":[[0.5,0.25,0],[0,0.5,-0.5]]}],"              \
  "\"md\":{\"ensemble\":\"nve\",\"timestep\":0.1,\"every\":1,\"steps\":" steps "}}"

struct kept {
  struct fake_served fake;
  struct run_pool pool;
  struct kept_runs *runs;
  char folder[64];
  bool in_memory;
  /* The last that was added, or the problem's status */
  struct kept_run *run;
  int status;
  size_t n_added;
};

static inline void kept_open(struct kept *kept) {
  const struct kept_options options = {.pool = &kept->pool,
                                       .registry = kept->fake.registry,
                                       .folder = kept->in_memory ? "" : kept->folder};
  struct irrep_error error;
  if (kept_runs_new(&options, &kept->runs, &error) != IRREP_OK)
    fail_msg("%s", error.detail);
}

static inline void kept_set_up(struct kept *kept, bool in_memory) {
  memset(kept, 0, sizeof *kept);
  assert_true(fake_served_init(&kept->fake));
  struct config *config = &kept->fake.config;
  config->max_steps = 100000000;
  config->memory_budget = 10000000;
  config->max_queue = 1000;
  config->max_receiving_bytes = 50000000;
  config->jobs_bytes = 50000000;
  config->max_jobs = 20;
  config->max_jobs_client = 10;
  predictor_limits_changed(kept->fake.predictor);
  kept->pool = (struct run_pool){.loop = &kept->fake.loop,
                                 .config = config,
                                 .predictor = kept->fake.predictor,
                                 .metrics = kept->fake.metrics};
  kept->in_memory = in_memory;
  strcpy(kept->folder, "/tmp/irrepd-kept-XXXXXX");
  assert_non_null(mkdtemp(kept->folder));
  kept_open(kept);
}

static inline void kept_note_drained(void *context) {
  *(bool *)context = true;
}

/* Ends as a daemon does that is told to. */
static inline void kept_drain(struct kept *kept) {
  bool drained = false;
  kept_runs_drain(kept->runs, kept_note_drained, &drained);
  WAIT_FOR(&kept->fake.loop, drained);
  kept_runs_free(kept->runs);
  kept->runs = NULL;
  WAIT_FOR(&kept->fake.loop, kept->pool.n_runs == 0);
}

static inline void kept_tear_down(struct kept *kept) {
  char command[128];
  if (kept->runs)
    kept_drain(kept);
  assert_true(fake_served_fini(&kept->fake));
  snprintf(command, sizeof command, "rm -r %s", kept->folder);
  assert_int_equal(system(command), 0);
}

static inline void kept_on_added(void *context, struct kept_run *run,
                                 const struct problem *problem) {
  struct kept *kept = context;
  kept->n_added++;
  kept->run = run;
  kept->status = problem ? problem->status : 0;
}

/* NULL: it was not begun, for kept->status. */
static inline struct kept_run *kept_begin(struct kept *kept, const char *owner, const char *body) {
  struct problem problem;
  const struct kept_call call = {.kind = strstr(body, "\"md\"") ? TRAJECTORY_MD : TRAJECTORY_RELAX,
                                 .model = FAKE_MODEL,
                                 .client = owner,
                                 .owner = owner,
                                 .body = strdup(body),
                                 .size = strlen(body),
                                 .added = kept_on_added,
                                 .context = kept};
  const size_t n = kept->n_added;
  kept->status = 0;
  if (!kept_runs_add(kept->runs, &call, &problem)) {
    kept->status = problem.status;
    return NULL;
  }
  assert_int_equal(kept->n_added, n);
  return kept->run = NULL;
}

/* Begins one that is added, and returns it. */
static inline struct kept_run *kept_add(struct kept *kept, const char *owner, const char *body) {
  const size_t n = kept->n_added;
  kept_begin(kept, owner, body);
  assert_int_equal(kept->status, 0);
  WAIT_FOR(&kept->fake.loop, kept->n_added > n);
  assert_non_null(kept->run);
  return kept->run;
}

/* Reads all events from one on, up to the end; NUL-terminated, and the caller's. */
static inline void kept_ignore(void *context) {
  (void)context;
}

static inline char *kept_read(struct kept *kept, struct kept_run *run, uint64_t from) {
  struct kept_reader *reader = kept_reader_new(run, from, kept_ignore, NULL);
  struct text text = {0};
  char bytes[1000];
  const time_t begun = time(NULL);
  assert_non_null(reader);
  for (size_t n; (n = kept_reader_read(reader, bytes, sizeof bytes)) != SIZE_MAX;)
    if (n > 0)
      text_add(&text, bytes, n);
    else
      wait_turn(&kept->fake.loop, begun, "the end of the events");
  kept_reader_free(reader);
  text_puts(&text, "");
  return text_take(&text, NULL);
}

static inline size_t kept_count(const char *text, const char *word) {
  size_t n = 0;
  for (const char *at = text; at && (at = strstr(at, word)); at++)
    n++;
  return n;
}

static inline char *kept_card(const struct kept_run *run) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  kept_run_put(run, &w, true);
  return text_take(&text, NULL);
}

static inline bool kept_says(const struct kept_run *run, const char *word) {
  char *card = kept_card(run);
  assert_non_null(card);
  const bool says = strstr(card, word) != NULL;
  free(card);
  return says;
}

#endif
