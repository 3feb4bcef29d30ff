#include "core/cpu/crew.h"

bool crew_is_cancelled(const struct crew *crew) {
  return crew->cancelling && crew->cancelling->cancelled(crew->cancelling->context);
}

size_t crew_size(const struct crew *crew) {
  return crew->team ? 1 + crew->team->n_helpers : 1;
}

void crew_share(const struct crew *crew, void (*task)(void *, size_t, size_t), void *context,
                size_t n_tasks) {
  const struct irrep_team *team = crew->team;
  if (team && team->n_helpers > 0 && n_tasks > 1) {
    team->run(team->context, task, context, n_tasks);
    return;
  }
  for (size_t i = 0; i < n_tasks; i++)
    task(context, 0, i);
}
