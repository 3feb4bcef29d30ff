/* Kept runs in the list of all: how they come, are forgotten, and go when nobody has any of them.
 */
#include "server/runs/kept_inside.h"
#include "server/runs/run_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void kept_wake_readers(struct kept_run *run) {
  for (const struct kept_listener *listener = run->listeners; listener; listener = listener->next)
    listener->wake(listener->context);
}

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

void kept_past_fini(struct kept_past *past) {
  free(past->ends);
  free(past->told);
  free(past->n_steps);
  free(past->saved_at);
  free(past->state);
  *past = (struct kept_past){0};
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
  run_memory_hold(runs->options.pool, &run->held, 0);
  unlink_run(run);
  runs->bytes -= run->durable;
  remove_files(run);
  kept_count_states(runs, run->kind);
  kept_wake_readers(run);
  kept_check_drained(runs);
  kept_free_when_left(run);
}
