/* All kept runs: what there is, may be, and is forgotten. */
#include "server/base/problem_kinds.h"
#include "server/runs/kept_inside.h"
#include "server/runs/run_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS 1000

/* How often a run that goes on is saved. */
#define SAVE_NS UINT64_C(10000000000)

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
static bool has_room(struct kept_runs *runs, const struct kept_call *call,
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
  while (n >= config->max_jobs && kept_give_way(runs))
    n--;
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
  if (run) {
    run->format = call->format;
    run->created_s = (int64_t)time(NULL);
  }
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
        now_s - run->ended_s >= (int64_t)age_s) {
      metrics_job_forgotten(runs->options.pool->metrics, "age");
      kept_run_forget(run);
    }
  }
}

/* The end */

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
    run_memory_hold(runs->options.pool, &run->held, 0);
    kept_free_when_left(run);
  }
  if (runs->timer)
    uv_close((uv_handle_t *)runs->timer, free_handle);
  runs->options.pool->give_way = NULL;
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
  options->pool->give_way = kept_give_way;
  options->pool->give_way_context = made;
  store_list(&made->store, load_one, made);
  *runs = made;
  return IRREP_OK;
}
