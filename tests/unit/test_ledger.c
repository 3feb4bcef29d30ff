#include "server/base/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define MB ((size_t)1 << 20)

/* The parts never exceed the limit together, whatever models and flags take. */
static void test_parts(void **state) {
  (void)state;
  static const size_t memories[] = {64, 512, 1024, 24576}, flags[] = {0, 1, 50, 400, 4096, 1 << 20},
                      models[] = {0, 30, 300, 5000};
  for (size_t i = 0; i < 4; i++)
    for (size_t k = 0; k < 36; k++)
      for (size_t m = 0; m < 4; m++) {
        struct ledger l;
        ledger_init(&l, memories[i] * MB, flags[k / 6] * MB, flags[k % 6] * MB);
        ledger_set(&l, LEDGER_PROCESS, 20 * MB);
        ledger_set(&l, LEDGER_MODELS, models[m] * MB);
        const size_t parts = ledger_part(&l, LEDGER_BATCHES) + ledger_part(&l, LEDGER_BODIES) +
                             ledger_part(&l, LEDGER_REQUESTS);
        const size_t taken = (20 + models[m]) * MB;
        assert_true(ledger_limit(&l) < memories[i] * MB);
        assert_true(taken > ledger_limit(&l) ? parts == 0 : parts <= ledger_limit(&l) - taken);
        assert_true(flags[k / 6] == 0 || ledger_part(&l, LEDGER_BATCHES) <= flags[k / 6] * MB);
        assert_true(flags[k % 6] == 0 || ledger_part(&l, LEDGER_BODIES) <= flags[k % 6] * MB);
      }
}

static void test_unknown_memory(void **state) {
  (void)state;
  struct ledger l;
  ledger_init(&l, 0, 3 * MB, 2 * MB);
  assert_int_equal(ledger_part(&l, LEDGER_BATCHES), 3 * MB);
  assert_int_equal(ledger_part(&l, LEDGER_BODIES), 2 * MB);
  assert_int_equal(ledger_part(&l, LEDGER_REQUESTS), 8 * MB);
  ledger_init(&l, SIZE_MAX, 0, 0);
  assert_true(ledger_take(&l, LEDGER_REQUESTS, 1000 * MB));
}

static void test_taking(void **state) {
  (void)state;
  struct ledger l;
  ledger_init(&l, 0, 0, 2 * MB);
  assert_true(ledger_take(&l, LEDGER_BODIES, 2 * MB));
  assert_false(ledger_take(&l, LEDGER_BODIES, 1));
  ledger_give(&l, LEDGER_BODIES, 1);
  assert_true(ledger_take(&l, LEDGER_BODIES, 1));
  /* Of 8 MB of requests, large ones leave 1 to small ones; answers are of the same part. */
  assert_true(ledger_take(&l, LEDGER_REQUESTS, 6 * MB));
  ledger_add(&l, LEDGER_ANSWERS, MB / 2);
  assert_false(ledger_take(&l, LEDGER_REQUESTS, MB));
  assert_true(ledger_take(&l, LEDGER_REQUESTS, MB / 2));
  assert_false(ledger_take(&l, LEDGER_REQUESTS, MB / 4));
  for (size_t i = 0; i < 8; i++)
    assert_true(ledger_take(&l, LEDGER_REQUESTS, MB / 8));
  assert_false(ledger_take(&l, LEDGER_REQUESTS, 1));
  assert_int_equal(ledger_total(&l), 10 * MB);
  /* Alone it may be larger than the flags say. */
  ledger_give(&l, LEDGER_REQUESTS, 7 * MB + MB / 2);
  assert_false(ledger_take(&l, LEDGER_REQUESTS, 20 * MB));
  ledger_give(&l, LEDGER_ANSWERS, MB / 2);
  assert_true(ledger_take(&l, LEDGER_REQUESTS, 20 * MB));
  ledger_give(&l, LEDGER_REQUESTS, 30 * MB);
  assert_int_equal(l.used[LEDGER_REQUESTS], 0);
}

static void test_models(void **state) {
  (void)state;
  struct ledger l;
  ledger_init(&l, 512 * MB, 0, 0);
  ledger_set(&l, LEDGER_PROCESS, 20 * MB);
  assert_true(ledger_models_could_take(&l, 300 * MB));
  assert_false(ledger_models_could_take(&l, 301 * MB));
  assert_true(ledger_take(&l, LEDGER_REQUESTS, 150 * MB));
  ledger_set(&l, LEDGER_MODELS, 278 * MB);
  assert_true(ledger_fits(&l));
  ledger_set(&l, LEDGER_MODELS, 279 * MB);
  assert_false(ledger_fits(&l));
  ledger_give(&l, LEDGER_REQUESTS, 150 * MB);
  assert_true(ledger_fits(&l));
  assert_true(ledger_part(&l, LEDGER_REQUESTS) < 150 * MB);
}

/* Runs take from all others, who get no more than what is left. */
static void test_runs(void **state) {
  (void)state;
  struct ledger l;
  ledger_init(&l, 512 * MB, 0, 0);
  assert_int_equal(ledger_part(&l, LEDGER_RUNS), 56 * MB);
  assert_true(ledger_take(&l, LEDGER_RUNS, 50 * MB));
  assert_false(ledger_take(&l, LEDGER_RUNS, 7 * MB));
  assert_int_equal(ledger_part(&l, LEDGER_RUNS), 56 * MB);
  assert_int_equal(ledger_part(&l, LEDGER_BATCHES), 199 * MB);
  ledger_set(&l, LEDGER_BATCHES, 395 * MB);
  assert_false(ledger_take(&l, LEDGER_RUNS, 4 * MB));
  assert_true(ledger_take(&l, LEDGER_RUNS, 3 * MB));
  ledger_give(&l, LEDGER_RUNS, 53 * MB);
  assert_int_equal(ledger_part(&l, LEDGER_BATCHES), 224 * MB);
}

struct heard {
  size_t n_freed, n_resized;
};

static void on_freed(void *context) {
  ((struct heard *)context)->n_freed++;
}

static void on_resized(void *context) {
  ((struct heard *)context)->n_resized++;
}

static void test_waiters(void **state) {
  (void)state;
  struct ledger l;
  struct heard heard[2] = {{0, 0}, {0, 0}};
  struct ledger_waiter a = {.freed = on_freed, .resized = on_resized, .context = &heard[0]},
                       b = {.freed = on_freed, .context = &heard[1], .waits = true};
  ledger_init(&l, 512 * MB, 0, 0);
  ledger_listen(&l, &a);
  ledger_listen(&l, &b);
  ledger_add(&l, LEDGER_REQUESTS, 10);
  ledger_give(&l, LEDGER_REQUESTS, 0);
  assert_true(heard[0].n_freed == 0 && heard[1].n_freed == 0);
  ledger_give(&l, LEDGER_REQUESTS, 1);
  assert_true(heard[0].n_freed == 0 && heard[1].n_freed == 1);
  ledger_set(&l, LEDGER_MODELS, 5);
  ledger_set(&l, LEDGER_MODELS, 5);
  ledger_set(&l, LEDGER_BATCHES, 5);
  assert_true(heard[0].n_resized == 1 && heard[1].n_freed == 1);
  ledger_set(&l, LEDGER_MODELS, 4);
  assert_true(heard[0].n_resized == 2 && heard[1].n_freed == 2);
  ledger_forget(&l, &b);
  ledger_forget(&l, &b);
  a.waits = true;
  ledger_set_limits(&l, 1, 1);
  assert_true(heard[0].n_resized == 3 && heard[0].n_freed == 1 && heard[1].n_freed == 2);
}

static void test_names(void **state) {
  (void)state;
  assert_string_equal(ledger_kind_name(LEDGER_PROCESS), "process");
  assert_string_equal(ledger_kind_name(LEDGER_ANSWERS), "answers");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts),  cmocka_unit_test(test_unknown_memory),
      cmocka_unit_test(test_taking), cmocka_unit_test(test_models),
      cmocka_unit_test(test_runs),   cmocka_unit_test(test_waiters),
      cmocka_unit_test(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
