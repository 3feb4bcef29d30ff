#include "server/jobs/wake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

struct calls {
  struct next_turn turn;
  size_t n, asks_again;
};

static void on_turn(void *context) {
  struct calls *calls = context;
  calls->n++;
  if (calls->asks_again > 0) {
    calls->asks_again--;
    next_turn_ask(&calls->turn);
  }
}

/* Once for each turn that was asked for, and never from inside. */
static void test_next_turn(void **state) {
  (void)state;
  uv_loop_t loop;
  struct calls calls = {0};
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_true(next_turn_init(&calls.turn, &loop, on_turn, &calls));
  assert_int_equal(uv_run(&loop, UV_RUN_NOWAIT), 0);
  assert_int_equal(calls.n, 0);
  next_turn_ask(&calls.turn);
  next_turn_ask(&calls.turn);
  assert_int_equal(calls.n, 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(calls.n, 1);
  calls.asks_again = 2;
  next_turn_ask(&calls.turn);
  uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(calls.n, 2);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(calls.n, 4);
  next_turn_ask(&calls.turn);
  next_turn_fini(&calls.turn);
  next_turn_fini(&calls.turn); /* zero now */
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(calls.n, 4);
  assert_int_equal(uv_loop_close(&loop), 0);
}

static void on_timer(uv_timer_t *timer) {
  ++*(size_t *)timer->data;
}

/* Not before its time but for the part of a millisecond by which the loop's clock is behind; the
 * last call counts. */
static void test_times(void **state) {
  (void)state;
  uv_loop_t loop;
  size_t n = 0;
  assert_int_equal(uv_loop_init(&loop), 0);
  uv_timer_t *timer = wake_timer_new(&loop, &n);
  assert_non_null(timer);
  assert_false(uv_is_active((uv_handle_t *)timer));
  const uint64_t begun_ns = uv_hrtime(), at_ns = begun_ns + 3000000;
  wake_at(timer, begun_ns + UINT64_C(3600000000000), on_timer);
  wake_at(timer, at_ns, on_timer);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(n, 1);
  assert_true(uv_hrtime() + 1000000 >= at_ns);
  wake_at(timer, begun_ns, on_timer); /* has passed */
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(n, 2);
  wake_at(timer, 0, on_timer);
  wake_at(timer, SCHEDULER_NEVER, on_timer);
  assert_false(uv_is_active((uv_handle_t *)timer));
  wake_timer_free(timer);
  wake_timer_free(NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(n, 2);
  assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_next_turn),
      cmocka_unit_test(test_times),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
