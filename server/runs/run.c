#include "server/runs/run.h"

#include "core/base/arena.h"
#include "server/base/problem_kinds.h"
#include "server/runs/run_inside.h"
#include "server/runs/run_memory.h"

#include <stdlib.h>
#include <string.h>

/* Larger bodies are read on a worker. */
#define READ_ON_LOOP_BYTES ((size_t)256 << 10)

static struct run *run_of_reading(struct work *work) {
  return (struct run *)(void *)((char *)work - offsetof(struct run, reading));
}

/* Telling */

/* One thing at a time, as the owner may free the run. */
static void on_turn(uv_timer_t *timer) {
  struct run *run = timer->data;
  const struct problem *problem = run->problem.status != 0 ? &run->problem : NULL;
  if (run->tells_begun) {
    run->tells_begun = false;
    run->fills = run->is_read;
    run_tell_soon(run);
    run->owner.begun(run->owner.context, problem);
  } else if (run->fills) {
    run->fills = false;
    run_tell_soon(run);
    run_fill(run);
  } else if (run->tells_ended) {
    run->tells_ended = false;
    run->owner.ended(run->owner.context, problem);
  } else if (run->tells_quiet && run->n_under_way == 0 && !run->is_reading) {
    run->tells_quiet = false;
    run->owner.quiet(run->owner.context);
  }
}

/* Reading */

static struct trajectory_limits limits_of(const struct run *run) {
  const struct config *config = run->pool->config;
  return (struct trajectory_limits){
      .codec = {.max_structures = config->max_structures, .max_atoms = config->max_atoms},
      .max_steps = config->max_steps};
}

static void read_body(struct work *work, void *arena, size_t bytes) {
  struct run *run = run_of_reading(work);
  const struct trajectory_limits limits = limits_of(run);
  (void)arena, (void)bytes;
  run->is_read =
      codec_trajectory_read(run->body ? run->body : "", run->size, run->format, run->kind, &limits,
                            &run->request, &run->spec, &run->problem);
}

/* It may have passed before. */
static void set_deadline(struct run *run) {
  const double left_ms = run->request.deadline_ms - run->age_ms;
  if (run->request.has_deadline)
    run->deadline_ns = left_ms > 0 ? run->begun_ns + (uint64_t)(left_ms * 1e6) : 1;
}

/* What run_tables_make takes for a structure. */
#define BYTES_OF_TABLES                                                                            \
  (sizeof(uint8_t) + 2 * sizeof(uint64_t) + 2 * sizeof(double) + sizeof(struct request_item))

/* The structures are there, and the body is not any more. */
static void hold_structures(struct run *run) {
  const size_t tables = size_mul(run->request.n_items, BYTES_OF_TABLES);
  run_memory_hold(run->pool, &run->held, run->is_read ? size_add(run->request.bytes, tables) : 0);
}

static void end_reading(struct work *work) {
  struct run *run = run_of_reading(work);
  run->is_reading = false;
  free(run->body);
  run->body = NULL;
  hold_structures(run);
  if (run->is_freed) {
    run_free_when_left(run);
    return;
  }
  if (run->is_read && !run_tables_make(run)) {
    run->is_read = false;
    problem_of_kind(&run->problem, PROBLEM_NO_MEMORY, "", "no memory for the structures");
  }
  if (run->is_read)
    set_deadline(run);
  run->tells_begun = true;
  run_tell_soon(run);
}

/* Holding */

/* Workers take no more steps of what is held than those that they are computing. */
static void hold_trajectories(struct run *run) {
  for (size_t i = 0; i < RUN_IN_FLIGHT; i++)
    if (run->slots[i].stage != SLOT_FREE)
      trajectory_hold(run->slots[i].trajectory, run->n_holds > 0);
}

void run_hold(struct run *run, bool tells_quiet) {
  run->n_holds++;
  hold_trajectories(run);
  run->tells_quiet = run->tells_quiet || tells_quiet;
  if (run->tells_quiet)
    run_tell_soon(run);
}

void run_go(struct run *run) {
  if (--run->n_holds > 0)
    return;
  hold_trajectories(run);
  predict_hold(run->pool->predictor);
  for (size_t i = 0; i < RUN_IN_FLIGHT && run->n_holds == 0; i++) {
    struct slot *slot = &run->slots[i];
    if (slot->stage != SLOT_HELD)
      continue;
    slot->stage = SLOT_ASKING;
    run->n_under_way++;
    drive_begin(slot->drive);
  }
  predict_let_go(run->pool->predictor);
  if (run->is_read && run->n_holds == 0)
    run_fill(run);
}

/* Of one that has not begun again, the state that it would begin with. */
void run_save(const struct run *run, size_t structure, struct text *bytes) {
  const struct run_past *past = &run->past;
  for (size_t i = 0; i < RUN_IN_FLIGHT; i++) {
    const struct slot *slot = &run->slots[i];
    if (slot->stage != SLOT_FREE && slot->trajectory->index == structure) {
      trajectory_save(slot->trajectory, bytes);
      return;
    }
  }
  if (past->saved_at && structure < past->n)
    text_add(bytes, (const char *)past->saved + past->saved_at[structure],
             (size_t)(past->saved_at[structure + 1] - past->saved_at[structure]));
}

/* Life */

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

void run_free(struct run *run) {
  if (!run)
    return;
  run->is_freed = true;
  run_pool_leave(run);
  uv_close((uv_handle_t *)run->teller, free_handle);
  run->teller = NULL;
  for (size_t i = 0; i < RUN_IN_FLIGHT; i++) {
    struct slot *slot = &run->slots[i];
    if (slot->stage == SLOT_ASKING && drive_stop(slot->drive)) {
      slot->stage = SLOT_HELD;
      run->n_under_way--;
    }
    if (slot->stage == SLOT_HELD)
      run_free_slot(slot);
  }
  run_free_when_left(run);
}

/* Holds the most that it may come to take when it is read; false: that finds no room now. */
static bool hold_body(struct run *run, bool was_let_in) {
  const struct trajectory_limits limits = limits_of(run);
  const size_t bytes = size_add(run->size, codec_trajectory_bytes(run->size, run->format, &limits));
  if (!was_let_in && !run_memory_find(run->pool, bytes)) {
    problem_of_kind(&run->problem, PROBLEM_NO_MEMORY, "",
                    "no memory is left for more trajectories: these may need %zu bytes; try again "
                    "when others have ended",
                    bytes);
    return false;
  }
  run_memory_hold(run->pool, &run->held, bytes);
  return true;
}

struct run *run_new(struct run_pool *pool, const struct run_call *call) {
  struct run *run = calloc(1, sizeof *run);
  uv_timer_t *teller = calloc(1, sizeof *teller);
  if (run) {
    run->model = strdup(call->model);
    run->client = call->client ? strdup(call->client) : NULL;
  }
  if (!run || !teller || !run->model || (call->client && !run->client)) {
    if (run) {
      free(run->model);
      free(run->client);
    }
    free(run);
    free(teller);
    free(call->body);
    return NULL;
  }
  run->pool = pool;
  run->owner = call->owner;
  run->kind = call->kind;
  run->body = call->body;
  run->size = call->size;
  run->format = call->format;
  run->form = call->form;
  run->age_ms = call->age_ms > 0 ? call->age_ms : 0;
  run->begun_ns = uv_hrtime();
  if (call->past)
    run->past = *call->past;
  run->teller = teller;
  run->on_turn = on_turn;
  uv_timer_init(pool->loop, teller);
  teller->data = run;
  for (size_t i = 0; i < RUN_IN_FLIGHT; i++)
    run->slots[i].run = run;
  pool->n_runs++;
  run->is_reading = true;
  if (!hold_body(run, call->was_let_in)) {
    end_reading(&run->reading);
    return run;
  }
  run->reading.run = read_body;
  run->reading.done = end_reading;
  if (run->size > READ_ON_LOOP_BYTES) {
    predict_work(pool->predictor, &run->reading);
  } else {
    read_body(&run->reading, NULL, 0);
    end_reading(&run->reading);
  }
  return run;
}
