/* What a kept run is doing: its state, its clock, and why it stands still. */
#include "server/runs/kept_inside.h"

#include <stdio.h>
#include <time.h>

const char *kept_state_name(enum kept_state state) {
  static const char *const names[] = {
#define KEPT_STATE_NAME(name, word) word,
      KEPT_STATES(KEPT_STATE_NAME)
#undef KEPT_STATE_NAME
  };
  return state < KEPT_N_STATES ? names[state] : "unknown";
}

bool kept_run_has_ended(const struct kept_run *run) {
  return run->state == KEPT_DONE || run->state == KEPT_CANCELLED || run->state == KEPT_FAILED;
}

uint64_t kept_steps(const struct kept_run *run) {
  return run->run && run->has_begun ? run_progress(run->run).steps : run->progress.steps;
}

static double seconds_since(uint64_t ns) {
  return (double)(uv_hrtime() - ns) * 1e-9;
}

/* Its clock goes while it runs. */
static void note_time(struct kept_run *run, enum kept_state to) {
  if (run->state == KEPT_RUNNING && run->began_ns > 0)
    run->seconds += seconds_since(run->began_ns);
  run->began_ns = to == KEPT_RUNNING ? uv_hrtime() : 0;
  run->began_steps = kept_steps(run);
}

void kept_count_states(const struct kept_runs *runs, enum trajectory_kind kind) {
  size_t counts[KEPT_N_STATES] = {0};
  for (const struct kept_run *run = runs->first; run; run = run->next)
    if (run->kind == kind && !run->is_forgotten)
      counts[run->state]++;
  for (size_t i = 0; i < KEPT_N_STATES; i++)
    metrics_jobs(runs->options.pool->metrics, trajectory_kind_name(kind),
                 kept_state_name((enum kept_state)i), counts[i]);
}

void kept_enter(struct kept_run *run, enum kept_state state, const char *reason) {
  note_time(run, state);
  run->state = state;
  if (reason != run->reason)
    snprintf(run->reason, sizeof run->reason, "%s", reason);
  if (kept_run_has_ended(run)) {
    run->ended_s = (int64_t)time(NULL);
    metrics_job_ended(run->runs->options.pool->metrics, trajectory_kind_name(run->kind),
                      run->seconds);
  }
  kept_count_states(run->runs, run->kind);
}

/* Holding */

void kept_let_go(struct kept_run *run, bool *hold) {
  if (!*hold)
    return;
  *hold = false;
  run->is_quiet = false;
  if (run->run)
    run_go(run->run);
}

void kept_hold(struct kept_run *run, bool *hold) {
  if (*hold || !run->run)
    return;
  *hold = true;
  run_hold(run->run, true);
}

void kept_save(struct kept_run *run) {
  run->saved_ns = uv_hrtime();
  if (run->runs->store.folder)
    kept_hold(run, &run->holds_saving);
}

void kept_stop(struct kept_run *run, const char *reason) {
  kept_enter(run, KEPT_PAUSED, reason);
  kept_hold(run, &run->holds_paused);
}

void kept_lose(struct kept_run *run, const char *reason) {
  run->is_lost = true;
  snprintf(run->reason, sizeof run->reason, "%s", reason);
  run_hold(run->run, true);
}
