/* Waiting for what comes from a loop, but not for ever. */
#ifndef TESTS_UNIT_SUPPORT_WAIT_H
#define TESTS_UNIT_SUPPORT_WAIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define WAIT_PATIENCE_S 60

/* Turns a loop until a condition holds; the test fails when that takes longer than the patience. */
#define WAIT_FOR(loop, condition)                                                                  \
  for (const time_t begun_ = time(NULL); !(condition);)                                            \
  wait_turn(loop, begun_, #condition)

/* One turn of the loop of a wait for `what`. */
static inline void wait_turn(uv_loop_t *loop, time_t begun, const char *what) {
  uv_run(loop, UV_RUN_NOWAIT);
  usleep(50);
  if (time(NULL) - begun > WAIT_PATIENCE_S)
    fail_msg("%s: not after %d s", what, WAIT_PATIENCE_S);
}

#endif
