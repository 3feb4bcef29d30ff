#include "server/runs/run_inside.h"

void run_tell_soon(struct run *run) {
  uv_timer_start(run->teller, run->on_turn, 0, 0);
}

void run_end(struct run *run) {
  if (run->has_ended)
    return;
  run->has_ended = run->tells_ended = true;
  run_tell_soon(run);
}

void run_tell_event(struct run *run, size_t structure, enum trajectory_end end, uint64_t step,
                    const struct text *line, const struct problem *problem) {
  const struct run_event event = {.end = end,
                                  .structure = structure,
                                  .step = step,
                                  .line = line->bytes,
                                  .size = line->size,
                                  .problem = problem};
  run->owner.event(run->owner.context, &event);
}
