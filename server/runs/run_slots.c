#include "server/base/problem_kinds.h"
#include "server/drivers/trajectory_json.h"
#include "server/runs/run_inside.h"

#include <stdio.h>
#include <string.h>

static struct slot *slot_of(struct work *work) {
  return (struct slot *)(void *)((char *)work - offsetof(struct slot, work));
}

/* Slots */

void run_free_slot(struct slot *slot) {
  drive_free(slot->drive);
  trajectory_free(slot->trajectory);
  slot->drive = NULL;
  slot->trajectory = NULL;
  slot->stage = SLOT_FREE;
  run_pool_give(slot->run->pool, slot->bytes);
  slot->bytes = 0;
}

/* A structure has its result; it may have had no trajectory. */
static void settle(struct run *run, size_t structure, enum trajectory_end end) {
  run->ends[structure] = (uint8_t)end;
  run->n_ended++;
  run->n_failed += end == TRAJECTORY_FAILED;
  run->n_converged += end == TRAJECTORY_CONVERGED;
  if (run->spec.kind == TRAJECTORY_RELAX && end != TRAJECTORY_FAILED)
    metrics_relax_steps(run->pool->metrics, (size_t)run->n_steps[structure]);
}

static void finish(struct slot *slot) {
  struct run *run = slot->run;
  const struct trajectory *t = slot->trajectory;
  const size_t structure = t->index;
  const enum trajectory_end end = t->end;
  settle(run, structure, end);
  run_tell_event(run, structure, end, t->n_steps, &t->result,
                 end == TRAJECTORY_FAILED ? &t->problem : NULL);
  run_free_slot(slot);
}

/* Tells what a step has left, and what comes next; whether the slot is free. */
static bool go_on(struct slot *slot) {
  struct run *run = slot->run;
  const struct trajectory *t = slot->trajectory;
  if (t->has_frame) {
    run->told[t->index] = t->frame_step;
    run_tell_event(run, t->index, TRAJECTORY_RUNS, t->frame_step, &t->frame, NULL);
  }
  if (t->end != TRAJECTORY_RUNS) {
    finish(slot);
    return true;
  }
  slot->stage = run->n_holds > 0 ? SLOT_HELD : SLOT_ASKING;
  if (slot->stage == SLOT_ASKING) {
    run->n_under_way++;
    drive_begin(slot->drive);
  }
  return false;
}

static void note_step(struct slot *slot) {
  struct run *run = slot->run;
  const struct trajectory *t = slot->trajectory;
  const uint64_t before = run->n_steps[t->index];
  run->n_steps[t->index] = t->n_steps;
  if (slot->begins)
    return;
  run->energies[t->index] = t->energy;
  run->temperatures[t->index] = t->temperature;
  metrics_trajectory_steps(run->pool->metrics, (size_t)(t->n_steps - before));
}

/* Nothing is under way in the slot any more. */
static void come_to_rest(struct run *run) {
  if (--run->n_under_way == 0 && run->tells_quiet)
    run_tell_soon(run);
}

/* Work */

static void begin_slot(const struct slot *slot) {
  const struct run_past *past = &slot->run->past;
  struct trajectory *t = slot->trajectory;
  if (past->saved_at && t->index < past->n)
    trajectory_begin(t, past->saved + past->saved_at[t->index],
                     (size_t)(past->saved_at[t->index + 1] - past->saved_at[t->index]));
  else
    trajectory_begin(t, NULL, 0);
}

static void run_slot(struct work *work, void *arena, size_t bytes) {
  const struct slot *slot = slot_of(work);
  (void)arena, (void)bytes;
  if (slot->begins)
    begin_slot(slot);
  else
    trajectory_step(slot->trajectory);
}

/* A worker has let go of a slot whose run is freed. */
static void leave(struct slot *slot) {
  struct run *run = slot->run;
  run->n_under_way--;
  run_free_slot(slot);
  run_free_when_left(run);
}

static void end_slot(struct work *work) {
  struct slot *slot = slot_of(work);
  struct run *run = slot->run;
  slot->stage = SLOT_HELD;
  if (run->is_freed) {
    leave(slot);
    return;
  }
  note_step(slot);
  const bool is_free = go_on(slot);
  come_to_rest(run);
  if (is_free)
    run_fill(run);
}

/* Begins a slot's trajectory or takes its step, here or on a worker; whether it is done. */
static bool work_on(struct slot *slot, bool begins) {
  struct run *run = slot->run;
  const struct trajectory *t = slot->trajectory;
  slot->begins = begins;
  if (begins ? trajectory_begins_quickly(t) : trajectory_steps_quickly(t)) {
    run_slot(&slot->work, NULL, 0);
    return true;
  }
  slot->stage = SLOT_WORKING;
  slot->work.run = run_slot;
  slot->work.done = end_slot;
  run->n_under_way++;
  predict_work(run->pool->predictor, &slot->work);
  return false;
}

/* The step after the results, where the worker that had them has not taken it; whether it is done.
 */
static bool take_step(struct slot *slot) {
  if (!slot->trajectory->is_ahead)
    return work_on(slot, false);
  slot->trajectory->is_ahead = false;
  return true;
}

/* Whether it is no fault of the structure's, and may be remedied. */
static bool is_of_the_model(const struct problem *problem) {
  return strcmp(problem->type, "urn:irrepd:model-not-ready") == 0 ||
         strcmp(problem->type, "urn:irrepd:unknown-model") == 0;
}

static void fail_late(struct slot *slot) {
  struct problem problem;
  problem_of_kind(&problem, PROBLEM_DEADLINE_PASSED, "#/deadline_ms",
                  "the deadline of %.15g ms passed when %llu steps were complete",
                  slot->run->request.deadline_ms, (unsigned long long)slot->trajectory->n_steps);
  trajectory_fail(slot->trajectory, &problem);
}

/* The drive's results are there, or the problem why there are none. */
static void on_rest(void *context, enum driver_next next, const struct problem *problem) {
  struct slot *slot = context;
  struct run *run = slot->run;
  (void)next;
  slot->stage = SLOT_HELD;
  slot->begins = false;
  if (run->is_freed) {
    leave(slot);
    return;
  }
  if (problem && strcmp(problem->type, "urn:irrepd:draining") == 0) {
    run->problem = *problem; /* it is no fault of the structure */
    run->n_holds++;
    run_end(run);
    come_to_rest(run);
    return;
  }
  if (problem && run->owner.stalled && is_of_the_model(problem)) {
    run->owner.stalled(run->owner.context, problem);
    come_to_rest(run);
    return;
  }
  if (problem && problem->retryable && run_is_late(run))
    fail_late(slot);
  else if (problem)
    trajectory_fail(slot->trajectory, problem);
  if (!problem && !take_step(slot)) {
    come_to_rest(run);
    return;
  }
  note_step(slot);
  const bool is_free = go_on(slot);
  come_to_rest(run);
  if (is_free)
    run_fill(run);
}

/* The next structure without a result */

static bool open_slot(struct slot *slot, size_t structure) {
  struct run *run = slot->run;
  slot->trajectory = trajectory_new(&run->spec, &run->request, structure, run->model, run->form);
  const struct drive_options options = {.loop = run->pool->loop,
                                        .predictor = run->pool->predictor,
                                        .driver =
                                            slot->trajectory ? &slot->trajectory->driver : NULL,
                                        .client = run->client,
                                        .deadline_ns = run->deadline_ns,
                                        .rests = on_rest,
                                        .context = slot};
  slot->drive = slot->trajectory ? drive_new(&options) : NULL;
  if (!slot->drive) {
    trajectory_free(slot->trajectory);
    slot->trajectory = NULL;
    return false;
  }
  slot->trajectory->told_step = run->told[structure];
  return true;
}

static void fail_structure(struct run *run, size_t structure, const struct problem *problem) {
  struct text text = {0};
  trajectory_json_error(&text, &run->request.items[structure], structure,
                        run->form == TRAJECTORY_PLAIN, 0, problem);
  settle(run, structure, TRAJECTORY_FAILED);
  if (text.failed)
    text_fini(&text);
  run_tell_event(run, structure, TRAJECTORY_FAILED, 0, &text, problem);
  text_fini(&text);
}

/* Whether a structure can have a trajectory at all; otherwise it has its result. */
static bool may_begin(struct run *run, size_t structure) {
  const struct problem *given = run->request.items[structure].problem;
  const size_t bytes = run_pool_need(run, structure), most = run_pool_most(run->pool);
  struct problem problem;
  char pointer[64];
  if (given) {
    fail_structure(run, structure, given);
    return false;
  }
  if (bytes <= most)
    return true;
  snprintf(pointer, sizeof pointer, "#/structures/%zu", structure);
  problem_of_kind(&problem, PROBLEM_TOO_LARGE, pointer,
                  "%zu atoms need %zu bytes to be moved; all that is moved may take %zu",
                  run->request.items[structure].structure.n_atoms, bytes, most);
  fail_structure(run, structure, &problem);
  return false;
}

static struct slot *free_slot_of(struct run *run) {
  for (size_t i = 0; i < RUN_IN_FLIGHT; i++)
    if (run->slots[i].stage == SLOT_FREE)
      return &run->slots[i];
  return NULL;
}

/* Begins the next structure; false: not now. */
static bool begin_next(struct run *run) {
  while (run->next < run->request.n_items && run->ends[run->next] != TRAJECTORY_RUNS)
    run->next++;
  struct slot *slot = free_slot_of(run);
  if (!slot || run->next == run->request.n_items)
    return false;
  if (!may_begin(run, run->next))
    return true;
  const size_t bytes = run_pool_need(run, run->next);
  if (!run_pool_take(run->pool, bytes)) {
    run_pool_wait(run);
    return false;
  }
  slot->bytes = bytes;
  if (!open_slot(slot, run->next)) {
    struct problem problem;
    slot->bytes = 0;
    run_pool_give(run->pool, bytes);
    fail_structure(
        run, run->next,
        problem_of_kind(&problem, PROBLEM_NO_MEMORY, "", "no memory for the trajectory"));
    return true;
  }
  run->next++;
  if (work_on(slot, true)) {
    note_step(slot);
    go_on(slot);
  }
  return true;
}

void run_fill(struct run *run) {
  predict_hold(run->pool->predictor);
  while (run->n_holds == 0 && begin_next(run))
    continue;
  predict_let_go(run->pool->predictor);
  if (run->n_ended == run->request.n_items)
    run_end(run);
}
