/* When the loop comes back to a predictor: in its next turn, or at a time. Used on the loop thread.
 */
#ifndef SERVER_JOBS_WAKE_H
#define SERVER_JOBS_WAKE_H

#include "server/compute/scheduler.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Starts a timer whose owner is called at a time of uv_hrtime, or soon where that has passed;
 * SCHEDULER_NEVER: stops it. */
void wake_at(uv_timer_t *timer, uint64_t at_ns, uv_timer_cb call);

/* A call that is made by the next turn of the loop, once, however often it has been asked for. */
struct next_turn {
  uv_idle_t *handle; /* on the heap: libuv keeps it until the loop has run again */
  void (*call)(void *context);
  void *context;
};

/* false: without memory. */
bool next_turn_init(struct next_turn *turn, uv_loop_t *loop, void (*call)(void *context),
                    void *context);

/* The call is made later, never from inside; also when asked for by the call itself. */
void next_turn_ask(struct next_turn *turn);

/* No call is made any more. The loop must run once more before it is closed. Nothing happens to a
 * turn that is zero. */
void next_turn_fini(struct next_turn *turn);

/* A timer on the heap, at rest, with its data; NULL without memory. */
uv_timer_t *wake_timer_new(uv_loop_t *loop, void *data);

/* As next_turn_fini. NULL is allowed. */
void wake_timer_free(uv_timer_t *timer);

#endif
