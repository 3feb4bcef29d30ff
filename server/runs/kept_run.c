#include "server/runs/kept_run.h"

#include "server/base/log.h"
#include "server/runs/kept_inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The end */

static void put_end(struct kept_run *run) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_put_string(&w, "event", run->state == KEPT_FAILED ? "error" : "end");
  json_put_string(&w, "state", kept_state_name(run->state));
  if (run->reason[0] != '\0')
    json_put_string(&w, "reason", run->reason);
  json_put_size(&w, "structures", run->progress.n_structures);
  json_put_size(&w, "converged", run->progress.n_converged);
  json_put_size(&w, "failed", run->progress.n_failed);
  json_close_object(&w);
  const struct store_record record = {
      .size = (uint32_t)text.size, .structure = STORE_WHOLE, .end = (uint32_t)run->state};
  if (text.failed || !kept_put_event(run, &record, text.bytes))
    log_write(LOG_ERROR, "no memory for the last event of a job", LOG_STRING, "job", run->id,
              LOG_END);
  text_fini(&text);
}

void kept_end(struct kept_run *run, enum kept_state state, const char *reason) {
  if (run->run && run->has_begun)
    run->progress = run_progress(run->run);
  kept_enter(run, state, reason);
  run_free(run->run);
  run->run = NULL;
  run->holds_full = run->holds_saving = run->holds_paused = run->holds_draining = false;
  put_end(run);
  kept_make_state(run);
  kept_flush(run);
}

/* What its run tells */

static void refuse(struct kept_run *run, const struct problem *problem) {
  const struct problem found = *problem;
  void (*added)(void *, struct kept_run *, const struct problem *) = run->added;
  run->added = NULL;
  if (added && run->context)
    added(run->context, NULL, &found);
  run_free(run->run);
  run->run = NULL;
  run->state = KEPT_FAILED;
  kept_run_forget(run);
}

static void on_begun(void *context, const struct problem *problem) {
  struct kept_run *run = context;
  if (problem && !run->is_added) {
    refuse(run, problem);
    return;
  }
  if (problem) {
    kept_end(run, KEPT_FAILED, problem->detail);
    return;
  }
  run->has_begun = true;
  if (run->state == KEPT_QUEUED)
    kept_enter(run, KEPT_RUNNING, "");
  run->saved_ns = uv_hrtime();
  kept_flush(run);
}

/* The bits of one run are those of one model. */
static bool model_is_same(struct kept_run *run) {
  const struct served_model *served = registry_find(run->runs->options.registry, run->model);
  if (!served || served->sha256[0] == '\0')
    return true;
  if (run->sha256[0] == '\0')
    memcpy(run->sha256, served->sha256, sizeof run->sha256);
  return strcmp(run->sha256, served->sha256) == 0;
}

static void on_event(void *context, const struct run_event *event) {
  struct kept_run *run = context;
  char reason[KEPT_REASON_SIZE];
  const struct store_record record = {.size = (uint32_t)event->size,
                                      .structure = (uint32_t)event->structure,
                                      .end = (uint32_t)event->end,
                                      .step = event->step};
  if (run->is_lost)
    return;
  if (!model_is_same(run)) {
    snprintf(reason, sizeof reason,
             "the model %s is another one by now: it began with the file of sha256 %.16s...",
             run->model, run->sha256);
    kept_lose(run, reason);
    return;
  }
  if (event->size > UINT32_MAX || !event->line || !kept_put_event(run, &record, event->line)) {
    kept_lose(run, "no memory for a frame");
    return;
  }
  kept_flush(run);
}

/* What stands still is saved. */
static void on_quiet(void *context) {
  struct kept_run *run = context;
  run->is_quiet = true;
  if (run->is_lost) {
    kept_end(run, KEPT_FAILED, run->reason);
    return;
  }
  if (run->runs->store.folder)
    kept_make_state(run);
  kept_let_go(run, &run->holds_saving);
  kept_flush(run);
  kept_check_drained(run->runs);
}

static void on_ended(void *context, const struct problem *problem) {
  struct kept_run *run = context;
  if (problem) /* the daemon stops: it goes on another time */
    on_quiet(run);
  else
    kept_end(run, run->is_lost ? KEPT_FAILED : KEPT_DONE, run->is_lost ? run->reason : "");
}

static void on_stalled(void *context, const struct problem *problem) {
  struct kept_run *run = context;
  char reason[KEPT_REASON_SIZE];
  snprintf(reason, sizeof reason, "%.180s; resume it when that is remedied", problem->detail);
  kept_stop(run, reason);
}

static double age_of(int64_t then_s) {
  return (double)((int64_t)time(NULL) - then_s);
}

bool kept_run_begin(struct kept_run *run, char *body, size_t size) {
  const struct kept_past *past = &run->past;
  const struct run_past known = {.ends = past->ends,
                                 .told = past->told,
                                 .n_steps = past->n_steps,
                                 .saved_at = past->saved_at,
                                 .saved = (const unsigned char *)past->state,
                                 .n = past->n};
  const struct run_call call = {.kind = run->kind,
                                .format = run->format,
                                .was_let_in = run->is_added, /* before a restart */
                                .age_ms = run->is_added ? 1e3 * age_of(run->created_s) : 0,
                                .model = run->model,
                                .client = run->client,
                                .body = body,
                                .size = size,
                                .past = past->n > 0 ? &known : NULL,
                                .owner = {.begun = on_begun,
                                          .event = on_event,
                                          .quiet = on_quiet,
                                          .ended = on_ended,
                                          .stalled = on_stalled,
                                          .context = run}};
  run->body_size = size;
  run->run = run_new(run->runs->options.pool, &call);
  if (run->run)
    kept_list(run);
  return run->run != NULL;
}

/* What users ask for */

bool kept_run_pause(struct kept_run *run) {
  if (run->state != KEPT_RUNNING && run->state != KEPT_QUEUED)
    return run->state == KEPT_PAUSED;
  kept_enter(run, KEPT_PAUSED, "");
  kept_hold(run, &run->holds_paused);
  return true;
}

bool kept_run_resume(struct kept_run *run) {
  if (run->state != KEPT_PAUSED)
    return run->state == KEPT_RUNNING || run->state == KEPT_QUEUED;
  kept_enter(run, run->has_begun ? KEPT_RUNNING : KEPT_QUEUED, "");
  kept_let_go(run, &run->holds_paused);
  kept_flush(run);
  return true;
}

bool kept_run_checkpoint(struct kept_run *run) {
  if (kept_run_has_ended(run))
    return false;
  kept_save(run);
  return true;
}

void kept_run_cancel(struct kept_run *run) {
  if (!kept_run_has_ended(run))
    kept_end(run, KEPT_CANCELLED, "");
}

/* Cards */

const char *kept_run_id(const struct kept_run *run) {
  return run->id;
}

enum kept_state kept_run_state(const struct kept_run *run) {
  return run->state;
}

static void put_numbers(struct json_writer *w, const char *key, const struct run *run,
                        double (*number_of)(const struct run *run, size_t structure)) {
  const size_t n = run_request(run)->n_items;
  json_open_array(w, key);
  for (size_t i = 0; i < n; i++)
    json_put_double(w, NULL, number_of(run, i));
  json_close_array(w);
}

static double seconds_since(uint64_t ns) {
  return (double)(uv_hrtime() - ns) * 1e-9;
}

/* Of this stretch, or of all when it does not run. */
static double rate_of(const struct kept_run *run, uint64_t steps) {
  const double seconds = run->began_ns > 0 ? seconds_since(run->began_ns) : run->seconds;
  const uint64_t done = run->began_ns > 0 ? steps - run->began_steps : steps;
  return seconds > 0 ? (double)done / seconds : 0;
}

static void put_time(struct json_writer *w, const char *key, int64_t seconds) {
  char text[32] = "";
  const time_t at = (time_t)seconds;
  struct tm parts;
  if (seconds <= 0 || !gmtime_r(&at, &parts) ||
      strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    json_put_null(w, key);
  else
    json_put_string(w, key, text);
}

void kept_run_put(const struct kept_run *run, struct json_writer *w, bool whole) {
  const bool lives = run->run && run->has_begun;
  const struct run_progress p = lives ? run_progress(run->run) : run->progress;
  json_open_object(w, NULL);
  json_put_string(w, "id", run->id);
  json_put_string(w, "kind", trajectory_kind_name(run->kind));
  json_put_string(w, "model", run->model);
  if (run->sha256[0] != '\0')
    json_put_string(w, "model_sha256", run->sha256);
  json_put_string(w, "state", kept_state_name(run->state));
  json_put_string(w, "reason", run->reason);
  put_time(w, "created", run->created_s);
  put_time(w, "ended", run->ended_s);
  json_put_size(w, "structures", p.n_structures);
  json_put_size(w, "structures_ended", p.n_ended);
  json_put_size(w, "converged", p.n_converged);
  json_put_size(w, "failed", p.n_failed);
  json_put_size(w, "steps", (size_t)p.steps);
  json_put_size(w, "steps_wanted", (size_t)p.steps_wanted);
  json_put_double(w, "steps_per_second", round(10 * rate_of(run, p.steps)) / 10);
  json_put_size(w, "events", (size_t)run->n_durable);
  json_put_size(w, "frames", (size_t)run->n_durable_frames);
  json_put_size(w, "bytes", (size_t)run->durable);
  json_put_size(w, "checkpoints", run->n_checkpoints);
  if (whole && lives) {
    put_numbers(w, "energies", run->run, run_energy_of);
    if (run->kind == TRAJECTORY_MD)
      put_numbers(w, "temperatures", run->run, run_temperature_of);
  }
  json_close_object(w);
}
