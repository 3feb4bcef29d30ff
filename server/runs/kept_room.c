/* Room that kept runs in memory make: those that have ended are forgotten, the one that ended first
 * before others, where something else needs what they take. In a folder none is. */
#include "server/runs/kept_inside.h"

static bool gives_way(const struct kept_run *run) {
  return kept_run_has_ended(run) && run->is_added && !run->write && run->pending.size == 0 &&
         run->n_users == 0;
}

bool kept_give_way(void *context) {
  struct kept_runs *runs = context;
  struct kept_run *first = NULL;
  for (struct kept_run *run = runs->first; run; run = run->next)
    if (gives_way(run) && (!first || run->ended_s < first->ended_s))
      first = run;
  if (!first || runs->store.folder)
    return false;
  metrics_job_forgotten(runs->options.pool->metrics, "room");
  kept_run_forget(first);
  return true;
}
