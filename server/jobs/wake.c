#include "server/jobs/wake.h"

#include <stdlib.h>

#define NANOSECONDS_PER_MS UINT64_C(1000000)

void wake_at(uv_timer_t *timer, uint64_t at_ns, uv_timer_cb call) {
  if (at_ns == SCHEDULER_NEVER) {
    uv_timer_stop(timer);
    return;
  }
  const uint64_t now_ns = uv_hrtime();
  const uint64_t ms = at_ns > now_ns ? (at_ns - now_ns - 1) / NANOSECONDS_PER_MS + 1 : 1;
  uv_update_time(timer->loop);
  uv_timer_start(timer, call, ms, 0);
}

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

uv_timer_t *wake_timer_new(uv_loop_t *loop, void *data) {
  uv_timer_t *timer = calloc(1, sizeof *timer);
  if (!timer)
    return NULL;
  uv_timer_init(loop, timer);
  timer->data = data;
  return timer;
}

void wake_timer_free(uv_timer_t *timer) {
  if (timer)
    uv_close((uv_handle_t *)timer, free_handle);
}

static void on_idle(uv_idle_t *handle) {
  const struct next_turn *turn = handle->data;
  uv_idle_stop(handle);
  turn->call(turn->context);
}

bool next_turn_init(struct next_turn *turn, uv_loop_t *loop, void (*call)(void *context),
                    void *context) {
  uv_idle_t *handle = calloc(1, sizeof *handle);
  if (!handle)
    return false;
  uv_idle_init(loop, handle);
  handle->data = turn;
  *turn = (struct next_turn){.handle = handle, .call = call, .context = context};
  return true;
}

void next_turn_ask(struct next_turn *turn) {
  uv_idle_start(turn->handle, on_idle);
}

void next_turn_fini(struct next_turn *turn) {
  if (turn->handle)
    uv_close((uv_handle_t *)turn->handle, free_handle);
  turn->handle = NULL;
}
