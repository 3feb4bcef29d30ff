#include "server/runs/run_inside.h"
#include "server/runs/run_memory.h"

#include <math.h>
#include <stdlib.h>

/* What has ended before counts. */
static void count_past(struct run *run) {
  for (size_t i = 0; i < run->request.n_items; i++) {
    run->n_ended += run->ends[i] != TRAJECTORY_RUNS;
    run->n_failed += run->ends[i] == TRAJECTORY_FAILED;
    run->n_converged += run->ends[i] == TRAJECTORY_CONVERGED;
  }
}

bool run_tables_make(struct run *run) {
  const size_t n = run->request.n_items;
  run->ends = calloc(n, sizeof *run->ends);
  run->told = malloc(n * sizeof *run->told);
  run->n_steps = calloc(n, sizeof *run->n_steps);
  run->energies = malloc(n * sizeof *run->energies);
  run->temperatures = malloc(n * sizeof *run->temperatures);
  if (!run->ends || !run->told || !run->n_steps || !run->energies || !run->temperatures)
    return false;
  for (size_t i = 0; i < n; i++) {
    const bool is_known = i < run->past.n;
    run->ends[i] = is_known ? run->past.ends[i] : (uint8_t)TRAJECTORY_RUNS;
    run->told[i] = is_known ? run->past.told[i] : TRAJECTORY_NEVER;
    run->n_steps[i] = is_known && run->ends[i] != TRAJECTORY_RUNS ? run->past.n_steps[i] : 0;
    run->energies[i] = run->temperatures[i] = (double)NAN;
  }
  count_past(run);
  return true;
}

void run_free_when_left(struct run *run) {
  if (run->is_reading || run->n_under_way > 0)
    return;
  run->pool->n_runs--;
  run_memory_hold(run->pool, &run->held, 0);
  request_fini(&run->request);
  free(run->ends);
  free(run->told);
  free(run->n_steps);
  free(run->energies);
  free(run->temperatures);
  free(run->model);
  free(run->client);
  free(run->body);
  free(run);
}

/* What is known */

const struct trajectory_spec *run_spec(const struct run *run) {
  return &run->spec;
}

const struct request *run_request(const struct run *run) {
  return &run->request;
}

struct run_progress run_progress(const struct run *run) {
  const size_t n = run->is_read ? run->request.n_items : 0;
  struct run_progress progress = {.n_structures = n,
                                  .n_ended = run->n_ended,
                                  .n_failed = run->n_failed,
                                  .n_converged = run->n_converged};
  for (size_t i = 0; i < n; i++)
    progress.steps += run->n_steps[i];
  progress.steps_wanted = n * trajectory_spec_steps(&run->spec);
  return progress;
}

enum trajectory_end run_end_of(const struct run *run, size_t structure) {
  return (enum trajectory_end)run->ends[structure];
}

uint64_t run_steps_of(const struct run *run, size_t structure) {
  return run->n_steps[structure];
}

double run_energy_of(const struct run *run, size_t structure) {
  return run->energies[structure];
}

double run_temperature_of(const struct run *run, size_t structure) {
  return run->temperatures[structure];
}
