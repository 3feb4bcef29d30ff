/* Restart: runs from their files. What their events tell is so, whatever a checkpoint says; that is
 * where the others go on from. */
#include "core/base/json.h"
#include "server/base/log.h"
#include "server/runs/kept_inside.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longer values are none of ours. */
#define WORD_SIZE 1024

/* No request has more. */
#define STRUCTURES_MAX ((size_t)1 << 20)

/* Room for structures below n; those that are new are as if nothing were known of them. */
static bool past_room(struct kept_past *past, size_t n) {
  if (n > STRUCTURES_MAX)
    return false;
  if (n > past->room) {
    const size_t room = n < 64 ? 64 : 2 * n;
    uint8_t *ends = realloc(past->ends, room);
    past->ends = ends ? ends : past->ends;
    uint64_t *told = realloc(past->told, room * sizeof *told);
    past->told = told ? told : past->told;
    uint64_t *n_steps = realloc(past->n_steps, room * sizeof *n_steps);
    past->n_steps = n_steps ? n_steps : past->n_steps;
    if (!ends || !told || !n_steps)
      return false;
    past->room = room;
  }
  for (; past->n < n; past->n++) {
    past->ends[past->n] = TRAJECTORY_RUNS;
    past->told[past->n] = TRAJECTORY_NEVER;
    past->n_steps[past->n] = 0;
  }
  return true;
}

/* Events */

struct scanning {
  struct kept_run *run;
  bool failed;
};

static void on_record(void *context, uint64_t offset, const struct store_record *record) {
  struct scanning *scanning = context;
  struct kept_run *run = scanning->run;
  struct kept_past *past = &run->past;
  const size_t i = record->structure;
  const uint64_t end = offset + STORE_HEAD + record->size;
  scanning->failed = !kept_count_event(run, record, end) || scanning->failed;
  if (record->structure == STORE_WHOLE) {
    past->has_end = record->end < KEPT_N_STATES;
    past->end = (enum kept_state)record->end;
    return;
  }
  if (record->end > TRAJECTORY_FAILED || !past_room(past, i + 1)) {
    scanning->failed = true;
    return;
  }
  if (record->end == TRAJECTORY_RUNS)
    past->told[i] = record->step;
  else
    past->n_steps[i] = record->step;
  past->ends[i] = (uint8_t)record->end;
}

/* Files */

/* A line of JSON at the beginning of a file, and what follows it. */
struct meta {
  struct json_reader json;
  char *line;
  const char *rest;
  size_t rest_size;
};

static bool open_meta(char *bytes, size_t size, struct meta *meta) {
  char *end = memchr(bytes, '\n', size);
  if (!end)
    return false;
  meta->line = bytes;
  meta->json = json_reader_over(bytes, (size_t)(end - bytes));
  meta->rest = end + 1;
  meta->rest_size = size - (size_t)(end + 1 - bytes);
  return true;
}

static int64_t read_integer(struct json_reader *json) {
  double number = 0;
  return json_double(json, &number) && number >= 0 && number < 0x1p53 ? (int64_t)number : 0;
}

/* The run of a request's file, and the offset of its body; NULL: it is none. */
static struct kept_run *read_request(struct kept_runs *runs, struct meta *meta) {
  char key[32], kind[16] = "", format[16] = "json", model[65] = "", client[WORD_SIZE] = "",
                owner[WORD_SIZE] = "";
  int64_t created_s = 0;
  json_object_begin(&meta->json);
  while (json_object_next(&meta->json, key, sizeof key))
    if (strcmp(key, "kind") == 0)
      json_string(&meta->json, kind, sizeof kind, NULL);
    else if (strcmp(key, "model") == 0)
      json_string(&meta->json, model, sizeof model, NULL);
    else if (strcmp(key, "client") == 0)
      json_string(&meta->json, client, sizeof client, NULL);
    else if (strcmp(key, "owner") == 0)
      json_string(&meta->json, owner, sizeof owner, NULL);
    else if (strcmp(key, "format") == 0)
      json_string(&meta->json, format, sizeof format, NULL);
    else if (strcmp(key, "created") == 0)
      created_s = read_integer(&meta->json);
    else
      json_skip(&meta->json);
  const bool is_md = strcmp(kind, "md") == 0;
  const bool is_binary = strcmp(format, "safetensors") == 0;
  if (!json_end(&meta->json) || model[0] == '\0' || (!is_md && strcmp(kind, "relax") != 0) ||
      (!is_binary && strcmp(format, "json") != 0))
    return NULL;
  struct kept_run *run =
      kept_run_new(runs, is_md ? TRAJECTORY_MD : TRAJECTORY_RELAX, model, client, owner);
  if (run) {
    run->created_s = created_s;
    run->format = is_binary ? TRAJECTORY_SAFETENSORS : TRAJECTORY_JSON;
  }
  return run;
}

static enum kept_state state_of(const char *word) {
  for (size_t i = 0; i < KEPT_N_STATES; i++)
    if (strcmp(word, kept_state_name((enum kept_state)i)) == 0)
      return (enum kept_state)i;
  return KEPT_N_STATES;
}

/* false: it is damaged. */
static bool read_meta(struct kept_run *run, struct meta *meta, enum kept_state *state, size_t *n) {
  char key[32], word[32] = "";
  struct run_progress *p = &run->progress;
  json_object_begin(&meta->json);
  while (json_object_next(&meta->json, key, sizeof key))
    if (strcmp(key, "state") == 0)
      json_string(&meta->json, word, sizeof word, NULL);
    else if (strcmp(key, "reason") == 0)
      json_string(&meta->json, run->reason, sizeof run->reason, NULL);
    else if (strcmp(key, "sha256") == 0)
      json_string(&meta->json, run->sha256, sizeof run->sha256, NULL);
    else if (strcmp(key, "ended") == 0)
      run->ended_s = read_integer(&meta->json);
    else if (strcmp(key, "seconds") == 0)
      json_double(&meta->json, &run->seconds);
    else if (strcmp(key, "structures") == 0)
      p->n_structures = (size_t)read_integer(&meta->json);
    else if (strcmp(key, "structures_ended") == 0)
      p->n_ended = (size_t)read_integer(&meta->json);
    else if (strcmp(key, "converged") == 0)
      p->n_converged = (size_t)read_integer(&meta->json);
    else if (strcmp(key, "failed") == 0)
      p->n_failed = (size_t)read_integer(&meta->json);
    else if (strcmp(key, "steps") == 0)
      p->steps = (uint64_t)read_integer(&meta->json);
    else if (strcmp(key, "steps_wanted") == 0)
      p->steps_wanted = (uint64_t)read_integer(&meta->json);
    else if (strcmp(key, "n") == 0)
      *n = (size_t)read_integer(&meta->json);
    else
      json_skip(&meta->json);
  *state = state_of(word);
  return json_end(&meta->json) && *state < KEPT_N_STATES;
}

/* Takes where the state of each structure is; false: they are not as they should be. */
static bool take_states(struct kept_past *past, char *file, const struct meta *meta, size_t n) {
  const size_t head = (n + 1) * sizeof(uint64_t);
  if (n > STRUCTURES_MAX || meta->rest_size < head)
    return false;
  uint64_t *at = malloc(head);
  if (!at)
    return false;
  memcpy(at, meta->rest, head);
  bool is_good = at[0] == 0 && at[n] == meta->rest_size - head;
  for (size_t i = 0; i < n; i++)
    is_good = is_good && at[i] <= at[i + 1];
  if (!is_good || !past_room(past, n)) {
    free(at);
    return false;
  }
  for (size_t i = 0; i <= n; i++) /* from the file's beginning on */
    at[i] += (uint64_t)(meta->rest - file) + head;
  past->saved_at = at;
  past->n_saved = n;
  return true;
}

/* The checkpoint, if there is one; false: it is damaged. */
static bool load_state(struct kept_run *run, enum kept_state *state) {
  char *bytes = NULL;
  size_t size = 0, n = 0;
  struct meta meta;
  *state = KEPT_QUEUED;
  const int status = store_read(&run->runs->store, run->id, "state", &bytes, &size);
  if (status == ENOENT)
    return true;
  if (status != 0 || !open_meta(bytes, size, &meta) || !read_meta(run, &meta, state, &n) ||
      !take_states(&run->past, bytes, &meta, n)) {
    free(bytes);
    return false;
  }
  run->past.state = bytes;
  run->runs->bytes += size;
  return true;
}

static bool load_frames(struct kept_run *run) {
  struct scanning scanning = {run, false};
  run->frames = store_frames(&run->runs->store, run->id);
  if (run->frames < 0)
    return false;
  run->durable = run->tail = store_scan(run->frames, on_record, &scanning);
  run->n_durable = run->n_events;
  run->n_durable_frames = run->n_frames;
  run->runs->bytes += run->durable;
  return !scanning.failed;
}

/* Structures that a checkpoint does not know have no state saved. */
static bool widen(struct kept_past *past) {
  if (past->n <= past->n_saved)
    return true;
  uint64_t *at = realloc(past->saved_at, (past->n + 1) * sizeof *at);
  if (!at)
    return false;
  const uint64_t end = past->saved_at ? at[past->n_saved] : 0;
  for (size_t i = past->saved_at ? past->n_saved + 1 : 0; i <= past->n; i++)
    at[i] = end;
  past->saved_at = at;
  past->n_saved = past->n;
  return true;
}

static void leave_alone(struct kept_run *run, const char *id, const char *why) {
  log_write(LOG_ERROR, "a job in the folder cannot be read and is left alone", LOG_STRING, "job",
            id, LOG_STRING, "reason", why, LOG_END);
  if (!run)
    return;
  run->is_forgotten = true;
  kept_free_when_left(run);
}

/* One that has ended is listed; others go on. */
static void go_on(struct kept_run *run, enum kept_state state, const struct meta *meta) {
  char *body = malloc(meta->rest_size + 1);
  run->is_added = true;
  run->state = run->past.has_end ? run->past.end : state == KEPT_PAUSED ? KEPT_PAUSED : KEPT_QUEUED;
  if (kept_run_has_ended(run)) {
    free(body);
    kept_past_fini(&run->past);
    kept_list(run);
    return;
  }
  if (!body) {
    leave_alone(run, run->id, "no memory");
    return;
  }
  memcpy(body, meta->rest, meta->rest_size);
  if (!kept_run_begin(run, body, meta->rest_size)) {
    leave_alone(run, run->id, "no memory");
    return;
  }
  if (run->state == KEPT_PAUSED) {
    run->holds_paused = true;
    run_hold(run->run, false);
  }
}

void kept_load(struct kept_runs *runs, const char *id) {
  char *bytes = NULL;
  size_t size = 0;
  struct meta meta;
  enum kept_state state = KEPT_QUEUED;
  struct kept_run *run = NULL;
  const int status = store_read(&runs->store, id, "request", &bytes, &size);
  if (status == ENOENT) { /* it was being begun, and nobody knows it, or being forgotten */
    store_remove(&runs->store, id);
    return;
  }
  if (status == 0 && open_meta(bytes, size, &meta))
    run = read_request(runs, &meta);
  if (run)
    memcpy(run->id, id, sizeof run->id);
  if (!run)
    leave_alone(run, id, status != 0 ? strerror(status) : "its request is damaged");
  else if (!load_frames(run))
    leave_alone(run, id, "its frames cannot be read");
  else if (!load_state(run, &state) || !widen(&run->past))
    leave_alone(run, id, "its checkpoint is damaged");
  else
    go_on(run, state, &meta);
  free(bytes);
}
