/* Writing of kept runs: one write of a run at a time, of all that has gathered meanwhile. */
#include "server/base/log.h"
#include "server/runs/kept_inside.h"
#include "server/runs/run_memory.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With so many bytes that wait to be written the run stands still. */
#define FULL ((size_t)4 << 20)

struct kept_write {
  uv_work_t work;
  struct kept_run *run;
  const struct store *store;
  char id[STORE_ID_SIZE];
  int frames;
  uint64_t offset;
  uint64_t n_events, n_frames; /* up to the end of the records */
  struct text records;
  char *request, *state;
  size_t request_size, state_size;
  int status; /* an errno */
  const char *what;
};

/* Events */

static bool make_room_for_mark(struct kept_run *run) {
  if (run->n_marks < run->marks_room)
    return true;
  const size_t room = run->marks_room == 0 ? 16 : 2 * run->marks_room;
  uint64_t *marks = realloc(run->marks, room * sizeof *marks);
  if (!marks)
    return false;
  run->marks = marks;
  run->marks_room = room;
  return true;
}

bool kept_count_event(struct kept_run *run, const struct store_record *record, uint64_t end) {
  const bool is_frame = kept_is_frame(record);
  const bool has_mark = is_frame && (run->n_frames + 1) % KEPT_FRAMES_OF_MARK == 0;
  if (has_mark && !make_room_for_mark(run))
    return false;
  if (has_mark)
    run->marks[run->n_marks++] = end;
  run->n_frames += is_frame;
  run->n_events++;
  return true;
}

bool kept_put_event(struct kept_run *run, const struct store_record *record, const char *line) {
  const size_t before = run->pending.size;
  store_put_record(&run->pending, record, line);
  const uint64_t end = run->tail + (run->pending.size - before);
  if (run->pending.failed || !kept_count_event(run, record, end)) {
    run->pending.failed = false;
    run->pending.size = before;
    return false;
  }
  run->tail = end;
  kept_count_bytes(run);
  if (run->pending.size > FULL && !run->holds_full && run->run) {
    run->holds_full = true;
    run_hold(run->run, false);
  }
  return true;
}

/* Memory */

/* Without a folder the frames are in memory too. */
void kept_count_bytes(struct kept_run *run) {
  const struct kept_write *w = run->write;
  size_t bytes = run->pending.capacity + run->request_size + run->state_size +
                 run->marks_room * sizeof *run->marks;
  if (w)
    bytes += w->records.capacity + w->request_size + w->state_size;
  if (!run->runs->store.folder)
    bytes += run->durable;
  if (run->past.saved_at) /* what a checkpoint had is kept until the end */
    bytes += run->past.saved_at[run->past.n_saved];
  run_memory_hold(run->runs->options.pool, &run->held, run->is_forgotten ? 0 : bytes);
}

/* Files */

static void put_meta(const struct kept_run *run, struct text *text, size_t n) {
  const struct run_progress p = run->run && run->has_begun ? run_progress(run->run) : run->progress;
  struct json_writer w = json_writer_over(text);
  json_open_object(&w, NULL);
  json_put_string(&w, "state", kept_state_name(run->state));
  json_put_string(&w, "reason", run->reason);
  json_put_string(&w, "sha256", run->sha256);
  json_put_integer(&w, "ended", run->ended_s);
  json_put_double(&w, "seconds", run->seconds);
  json_put_size(&w, "structures", p.n_structures);
  json_put_size(&w, "structures_ended", p.n_ended);
  json_put_size(&w, "converged", p.n_converged);
  json_put_size(&w, "failed", p.n_failed);
  json_put_size(&w, "steps", (size_t)p.steps);
  json_put_size(&w, "steps_wanted", (size_t)p.steps_wanted);
  json_put_size(&w, "n", n);
  json_close_object(&w);
  text_puts(text, "\n");
}

/* Behind the line of JSON: where the state of each structure begins, [n + 1] of 8 bytes, and the
 * states. Frames and ends are those of the events. */
void kept_make_state(struct kept_run *run) {
  const size_t n = run->run && run->has_begun ? run_request(run->run)->n_items : 0;
  struct text text = {0}, states = {0};
  if (run->run && !run->has_begun)
    return; /* the one before is good */
  put_meta(run, &text, n);
  for (size_t i = 0; i <= n; i++) {
    const uint64_t at = states.size;
    text_add(&text, (const char *)&at, sizeof at);
    if (i < n && run_end_of(run->run, i) == TRAJECTORY_RUNS)
      run_save(run->run, i, &states);
  }
  text_add(&text, states.bytes ? states.bytes : "", states.size);
  if (states.failed)
    text_fini(&text);
  text_fini(&states);
  size_t size = 0;
  char *bytes = text.size > 0 ? text_take(&text, &size) : NULL;
  if (!bytes) {
    log_write(LOG_ERROR, "no memory for a checkpoint", LOG_STRING, "job", run->id, LOG_END);
    return; /* the one before is good */
  }
  free(run->state_file);
  run->state_file = bytes;
  run->state_size = size;
  run->saved_steps = kept_steps(run);
  kept_count_bytes(run);
}

bool kept_make_request(struct kept_run *run, const char *body, size_t size) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  if (!run->runs->store.folder)
    return true;
  json_open_object(&w, NULL);
  json_put_string(&w, "kind", trajectory_kind_name(run->kind));
  json_put_string(&w, "model", run->model);
  json_put_string(&w, "client", run->client);
  json_put_string(&w, "owner", run->owner);
  json_put_integer(&w, "created", run->created_s);
  if (run->format == TRAJECTORY_SAFETENSORS)
    json_put_string(&w, "format", "safetensors");
  json_close_object(&w);
  text_puts(&text, "\n");
  text_add(&text, body, size);
  run->request = text_take(&text, &run->request_size);
  return run->request != NULL;
}

/* The write */

static void write_now(uv_work_t *work) {
  struct kept_write *w = work->data;
  if (w->request) {
    w->what = "the request";
    w->status = store_write(w->store, w->id, "request", w->request, w->request_size);
  }
  if (w->status == 0 && w->frames < 0) {
    w->what = "frames";
    w->frames = store_frames(w->store, w->id);
    w->status = w->frames < 0 ? errno : 0;
  }
  if (w->status == 0 && (w->records.size > 0 || w->state)) {
    w->what = "frames";
    w->status =
        store_append(w->frames, w->offset, w->records.bytes, w->records.size, w->state != NULL);
  }
  if (w->status == 0 && w->state) {
    w->what = "a checkpoint";
    w->status = store_write(w->store, w->id, "state", w->state, w->state_size);
  }
}

static void free_write(struct kept_write *w) {
  text_fini(&w->records);
  free(w->request);
  free(w->state);
  free(w);
}

/* What could not be written waits again, before what came later. */
static void put_back(struct kept_run *run, struct kept_write *w) {
  text_add(&w->records, run->pending.bytes ? run->pending.bytes : "", run->pending.size);
  text_fini(&run->pending);
  run->pending = w->records;
  w->records = (struct text){0};
  if (!run->request) {
    run->request = w->request;
    run->request_size = w->request_size;
    w->request = NULL;
  }
  if (!run->state_file) {
    run->state_file = w->state;
    run->state_size = w->state_size;
    w->state = NULL;
  }
}

static void tell_added(struct kept_run *run, const struct problem *problem) {
  void (*added)(void *, struct kept_run *, const struct problem *) = run->added;
  run->added = NULL;
  if (added && run->context)
    added(run->context, problem ? NULL : run, problem);
}

static void fail_to_write(struct kept_run *run, struct kept_write *w) {
  char reason[KEPT_REASON_SIZE];
  struct problem problem;
  snprintf(reason, sizeof reason, "%s could not be written: %s; resume it when that is remedied",
           w->what, strerror(w->status));
  log_write(LOG_ERROR, "a job stands still", LOG_STRING, "job", run->id, LOG_STRING, "reason",
            reason, LOG_END);
  put_back(run, w);
  if (!run->is_added) {
    tell_added(run,
               problem_set(&problem, 503, "jobs-full", "no room to keep jobs", "", "%s", reason));
    kept_run_forget(run);
  } else if (run->run) {
    kept_stop(run, reason);
  }
}

static void succeed(struct kept_run *run, const struct kept_write *w) {
  struct kept_runs *runs = run->runs;
  const uint64_t before = run->durable;
  run->durable = w->offset + w->records.size;
  runs->bytes += run->durable - before;
  run->n_durable = w->n_events;
  run->n_durable_frames = w->n_frames;
  run->n_checkpoints += w->state != NULL && run->run;
  if (!run->is_added) {
    run->is_added = true;
    tell_added(run, NULL);
  }
  if (run->holds_full && run->pending.size < FULL)
    kept_let_go(run, &run->holds_full);
  kept_wake_readers(run);
}

static void end_write(uv_work_t *work, int status) {
  struct kept_write *w = work->data;
  struct kept_run *run = w->run;
  struct kept_runs *runs = run->runs;
  (void)status;
  run->write = NULL;
  runs->n_writes--;
  run->frames = w->frames;
  const bool is_written = w->status == 0;
  kept_count_bytes(run);
  if (run->is_forgotten)
    store_remove(&runs->store, run->id);
  else if (is_written)
    succeed(run, w);
  else
    fail_to_write(run, w);
  if (is_written && !run->is_forgotten)
    kept_flush(run);
  run->n_users--; /* until here it is not freed, whoever forgets it */
  kept_free_when_left(run);
  free_write(w);
  kept_check_drained(runs);
}

static uint64_t most_bytes(const struct kept_runs *runs) {
  const struct config *config = runs->options.pool->config;
  return runs->store.folder ? config->jobs_bytes : config->max_receiving_bytes;
}

/* What a run has that ends is written in any case. */
static bool finds_room(struct kept_run *run) {
  char reason[KEPT_REASON_SIZE];
  const uint64_t most = most_bytes(run->runs);
  if (!run->run || run->pending.size == 0)
    return true;
  while (run->runs->bytes + run->pending.size > most && kept_give_way(run->runs))
    continue;
  if (run->runs->bytes + run->pending.size <= most)
    return true;
  snprintf(
      reason, sizeof reason,
      "all jobs may take %llu bytes together (--%s): forget some that have ended, and resume it",
      (unsigned long long)most, run->runs->store.folder ? "jobs-bytes" : "max-receiving-bytes");
  kept_stop(run, reason);
  return false;
}

void kept_flush(struct kept_run *run) {
  const bool is_stopped = run->holds_paused && run->reason[0] != '\0' && !run->runs->draining;
  if (run->write || is_stopped || run->is_forgotten ||
      (run->pending.size == 0 && !run->state_file && !run->request && run->is_added) ||
      !finds_room(run))
    return;
  struct kept_write *w = calloc(1, sizeof *w);
  if (!w) {
    if (run->run)
      kept_stop(run, "no memory to write its frames; resume it later");
    return;
  }
  *w = (struct kept_write){.run = run,
                           .store = &run->runs->store,
                           .frames = run->frames,
                           .offset = run->durable,
                           .n_events = run->n_events,
                           .n_frames = run->n_frames,
                           .records = run->pending,
                           .request = run->request,
                           .request_size = run->request_size,
                           .state = run->state_file,
                           .state_size = run->state_size};
  memcpy(w->id, run->id, sizeof w->id);
  w->work.data = w;
  run->pending = (struct text){0};
  run->request = run->state_file = NULL;
  run->request_size = run->state_size = 0;
  run->write = w;
  run->n_users++;
  run->runs->n_writes++;
  kept_count_bytes(run);
  uv_queue_work(run->runs->options.pool->loop, &w->work, write_now, end_write);
}
