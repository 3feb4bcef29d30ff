/* All kept runs: what there is, may be, and is forgotten. */
#include "server/base/problem_kinds.h"
#include "server/runs/kept_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 1000

/* How often a run that goes on is saved. */
#define SAVE_NS UINT64_C(10000000000)

/* One */

struct kept_run *kept_run_new(struct kept_runs *runs, enum trajectory_kind kind, const char *model,
                              const char *client, const char *owner) {
  struct kept_run *run = calloc(1, sizeof *run);
  if (!run)
    return NULL;
  run->runs = runs;
  run->kind = kind;
  run->frames = -1;
  run->client = strdup(client ? client : "");
  run->owner = strdup(owner ? owner : "");
  snprintf(run->model, sizeof run->model, "%s", model);
  if (run->client && run->owner)
    return run;
  free(run->client);
  free(run->owner);
  free(run);
  return NULL;
}

void kept_list(struct kept_run *run) {
  struct kept_run **at = &run->runs->first;
  while (*at && (*at)->created_s <= run->created_s)
    at = &(*at)->next;
  run->next = *at;
  *at = run;
}

bool kept_run_begin(struct kept_run *run, char *body, size_t size) {
  const struct kept_past *past = &run->past;
  const struct run_past known = {.ends = past->ends,
                                 .told = past->told,
                                 .n_steps = past->n_steps,
                                 .saved_at = past->saved_at,
                                 .saved = (const unsigned char *)past->state,
                                 .n = past->n};
  struct run_call call = {.kind = run->kind,
                          .model = run->model,
                          .client = run->client,
                          .body = body,
                          .size = size,
                          .past = past->n > 0 ? &known : NULL,
                          .owner = kept_run_owner};
  call.owner.context = run;
  run->body_size = size;
  run->run = run_new(run->runs->options.pool, &call);
  if (run->run)
    kept_list(run);
  return run->run != NULL;
}

void kept_free_when_left(struct kept_run *run) {
  if (!run->is_forgotten || run->n_users > 0)
    return;
  if (run->frames >= 0)
    close(run->frames);
  kept_past_fini(&run->past);
  text_fini(&run->pending);
  free(run->marks);
  free(run->request);
  free(run->state_file);
  free(run->client);
  free(run->owner);
  free(run);
}

static void unlink_run(struct kept_run *run) {
  struct kept_run **at = &run->runs->first;
  while (*at != run)
    at = &(*at)->next;
  *at = run->next;
}

struct removal {
  uv_work_t work;
  struct store store; /* its folder is a copy: the removal may outlive the runs */
  char id[STORE_ID_SIZE];
};

static void remove_now(uv_work_t *work) {
  const struct removal *removal = work->data;
  store_remove(&removal->store, removal->id);
}

static void end_removal(uv_work_t *work, int status) {
  struct removal *removal = work->data;
  (void)status;
  free(removal->store.folder);
  free(removal);
}

/* The thread that writes for a run removes its files when it is done, otherwise another. */
static void remove_files(struct kept_run *run) {
  struct kept_runs *runs = run->runs;
  if (run->write || !runs->store.folder)
    return;
  struct removal *removal = calloc(1, sizeof *removal);
  char *folder = strdup(runs->store.folder);
  if (!removal || !folder) {
    free(removal);
    free(folder);
    return;
  }
  removal->work.data = removal;
  removal->store = (struct store){.folder = folder, .lock = -1};
  memcpy(removal->id, run->id, sizeof removal->id);
  uv_queue_work(runs->options.pool->loop, &removal->work, remove_now, end_removal);
}

void kept_run_forget(struct kept_run *run) {
  struct kept_runs *runs = run->runs;
  run_free(run->run);
  run->run = NULL;
  run->is_forgotten = true;
  unlink_run(run);
  runs->bytes -= run->durable;
  remove_files(run);
  kept_count(runs, run->kind);
  kept_wake_readers(run);
  kept_check_drained(runs);
  kept_free_when_left(run);
}

void kept_run_forsake(struct kept_run *run) {
  run->context = NULL;
}

/* Those there are */

static bool is_seen(const struct kept_run *run, const char *owner) {
  return run->is_added && (!owner || strcmp(run->owner, owner) == 0);
}

struct kept_run *kept_runs_find(const struct kept_runs *runs, const char *id, const char *owner) {
  for (struct kept_run *run = runs->first; run; run = run->next)
    if (strcmp(run->id, id) == 0)
      return is_seen(run, owner) ? run : NULL;
  return NULL;
}

struct kept_run *kept_runs_next(const struct kept_runs *runs, const struct kept_run *run,
                                const char *owner) {
  struct kept_run *next = run ? run->next : runs->first;
  while (next && !is_seen(next, owner))
    next = next->next;
  return next;
}

/* Adding */

/* Whether one more may begin. */
static bool has_room(const struct kept_runs *runs, const struct kept_call *call,
                     struct problem *problem) {
  const struct config *config = runs->options.pool->config;
  size_t n = 0, n_client = 0, bytes = call->size;
  for (const struct kept_run *run = runs->first; run; run = run->next) {
    n++;
    if (kept_run_has_ended(run))
      continue;
    n_client += strcmp(run->client, call->client ? call->client : "") == 0;
    bytes += run->body_size;
  }
  if (runs->draining)
    problem_of_kind(problem, PROBLEM_DRAINING, "", "the server finishes what it has accepted");
  else if (n >= config->max_jobs)
    problem_of_kind(
        problem, PROBLEM_TOO_MANY_JOBS, "",
        "there are %zu jobs, as many as may be (--max-jobs): forget some that have ended", n);
  else if (n_client >= config->max_jobs_client)
    problem_of_kind(problem, PROBLEM_CLIENT_QUOTA, "",
                    "%zu jobs of this client have not ended (--max-jobs-client)", n_client);
  else if (bytes > config->max_receiving_bytes && n > 0)
    problem_of_kind(problem, PROBLEM_TOO_MANY_JOBS, "",
                    "jobs of too many bytes have not ended (--max-receiving-bytes)");
  else
    return true;
  return false;
}

struct kept_run *kept_runs_add(struct kept_runs *runs, const struct kept_call *call,
                               struct problem *problem) {
  if (!has_room(runs, call, problem)) {
    free(call->body);
    return NULL;
  }
  struct kept_run *run = kept_run_new(runs, call->kind, call->model, call->client, call->owner);
  if (run)
    run->created_s = (int64_t)time(NULL);
  if (run && store_new_id(run->id) &&
      kept_make_request(run, call->body ? call->body : "", call->size)) {
    run->added = call->added;
    run->context = call->context;
    if (kept_run_begin(run, call->body, call->size))
      return run;
  } else {
    free(call->body);
  }
  if (run) {
    run->is_forgotten = true;
    kept_free_when_left(run);
  }
  problem_of_kind(problem, PROBLEM_NO_MEMORY, "", "There is no memory for the job.");
  return NULL;
}

/* Time */

static void on_tick(uv_timer_t *timer) {
  struct kept_runs *runs = timer->data;
  const uint64_t now_ns = uv_hrtime(), age_s = runs->options.pool->config->jobs_age_s;
  const int64_t now_s = (int64_t)time(NULL);
  for (struct kept_run *run = runs->first, *next; run; run = next) {
    next = run->next;
    if (run->state == KEPT_RUNNING && run->is_added && now_ns - run->saved_ns >= SAVE_NS &&
        kept_steps(run) > run->saved_steps)
      kept_save(run);
    if (kept_run_has_ended(run) && !run->write && age_s > 0 && run->ended_s > 0 &&
        now_s - run->ended_s >= (int64_t)age_s)
      kept_run_forget(run);
  }
}

/* The end */

/* Nothing of it is to be written, or can be. */
static bool is_settled(const struct kept_run *run) {
  const bool is_written = run->pending.size == 0 && !run->state_file;
  const bool is_stuck = run->state == KEPT_PAUSED && run->reason[0] != '\0';
  return !run->write && (!run->run || run->is_quiet) &&
         (is_written || is_stuck || kept_run_has_ended(run));
}

void kept_check_drained(struct kept_runs *runs) {
  bool is_done = runs->draining && runs->drained && runs->n_writes == 0;
  for (const struct kept_run *run = runs->first; run && is_done; run = run->next)
    is_done = is_settled(run); /* NOLINT(clang-analyzer-unix.Malloc): what is freed is unlinked */
  if (!is_done)
    return;
  void (*drained)(void *context) = runs->drained;
  runs->drained = NULL;
  drained(runs->drained_context);
}

/* What has not been added never will be. */
static void drain_run(struct kept_run *run) {
  struct problem problem;
  kept_wake_readers(run);
  if (!run->is_added && run->added && run->context) {
    run->added(run->context, NULL,
               problem_of_kind(&problem, PROBLEM_DRAINING, "",
                               "The server finishes what it has accepted."));
    run->added = NULL;
  }
  if (!run->is_added) {
    kept_run_forget(run);
  } else if (run->run) {
    run->is_quiet = false;
    run->holds_draining = true;
    run_hold(run->run, true);
  }
}

void kept_runs_drain(struct kept_runs *runs, void (*done)(void *context), void *context) {
  runs->draining = true;
  runs->drained = done;
  runs->drained_context = context;
  for (struct kept_run *run = runs->first, *next; run; run = next) {
    next = run->next;
    drain_run(run);
  }
  kept_check_drained(runs);
}

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

void kept_runs_free(struct kept_runs *runs) {
  if (!runs)
    return;
  for (struct kept_run *run = runs->first, *next; run; run = next) {
    next = run->next;
    run_free(run->run);
    run->run = NULL;
    run->is_forgotten = true; /* but its files stay */
    kept_free_when_left(run);
  }
  if (runs->timer)
    uv_close((uv_handle_t *)runs->timer, free_handle);
  store_close(&runs->store);
  free(runs);
}

static void load_one(void *context, const char *id) {
  kept_load(context, id);
}

enum irrep_status kept_runs_new(const struct kept_options *options, struct kept_runs **runs,
                                struct irrep_error *error) {
  struct kept_runs *made = calloc(1, sizeof *made);
  uv_timer_t *timer = calloc(1, sizeof *timer);
  *runs = NULL;
  if (!made || !timer) {
    free(made);
    free(timer);
    return irrep_fail(error, IRREP_NO_MEMORY, "jobs", "no memory");
  }
  made->options = *options;
  const enum irrep_status status = store_open(options->folder, &made->store, error);
  if (status != IRREP_OK) {
    free(made);
    free(timer);
    return status;
  }
  made->timer = timer;
  uv_timer_init(options->pool->loop, timer);
  timer->data = made;
  uv_timer_start(timer, on_tick, TICK_MS, TICK_MS);
  uv_unref((uv_handle_t *)timer);
  store_list(&made->store, load_one, made);
  *runs = made;
  return IRREP_OK;
}
