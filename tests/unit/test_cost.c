/* What the rates of atoms and edges learn from the times of batches. */
#include "server/models/cost.h"
#include "tests/unit/plans.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static const struct irrep_plan crystal = PLAN(1, 32, 1344), pairs = PLAN(300, 600, 600),
                               gas = PLAN(100, 100, 0);

/* The machine that is learned about: 40 us an atom and 1 us an edge. */
static double truth(const struct irrep_plan *plan) {
  return 40e-6 * (double)plan->n_atoms + 1e-6 * (double)plan->n_edges;
}

static double ratio(const struct cost_rates *rates, const struct irrep_plan *plan) {
  return cost_seconds(rates, plan) / truth(plan);
}

static void learn(struct cost_rates *rates, const struct irrep_plan *plan, size_t times) {
  for (size_t i = 0; i < times; i++)
    cost_learn(rates, plan, truth(plan));
}

static void test_first_batch_sets_the_rates(void **state) {
  (void)state;
  struct cost_rates rates = {0};
  assert_true(cost_seconds(&rates, &crystal) == 0);
  learn(&rates, &crystal, 1);
  assert_true(fabs(ratio(&rates, &crystal) - 1) < 1e-12);
  assert_true(fabs(rates.atom / rates.edge - 16) < 1e-9);
}

/* Before anything is measured a batch is expected to take long, so that it is small. */
static void test_expected(void **state) {
  (void)state;
  struct cost_rates rates = {0};
  assert_true(cost_expected(&rates, &crystal) > truth(&crystal));
  assert_true(cost_expected(&rates, &gas) > 0);
  learn(&rates, &crystal, 1);
  assert_true(cost_expected(&rates, &crystal) == cost_seconds(&rates, &crystal));
}

static void test_both_rates_are_found(void **state) {
  (void)state;
  struct cost_rates rates = {0};
  learn(&rates, &crystal, 3);
  for (size_t i = 0; i < 40; i++) {
    learn(&rates, &pairs, 1);
    learn(&rates, &crystal, 1);
  }
  assert_true(fabs(rates.atom - 40e-6) < 1e-7);
  assert_true(fabs(rates.edge - 1e-6) < 1e-8);
}

/* A machine that has grown slower for one kind of structure: the guess for that follows, the guess
 * for another kind stays near what was measured. */
static void test_what_is_known_stays(void **state) {
  (void)state;
  struct cost_rates rates = {0};
  for (size_t i = 0; i < 40; i++) {
    learn(&rates, &crystal, 1);
    learn(&rates, &pairs, 1);
  }
  for (size_t i = 0; i < 10000; i++)
    cost_learn(&rates, &crystal, 1.1 * truth(&crystal));
  assert_true(fabs(ratio(&rates, &crystal) - 1.1) < 1e-6);
  assert_true(fabs(ratio(&rates, &pairs) - 1) < 0.05);
}

/* One batch that a busy machine held up moves the guess by a quarter of its error. */
static void test_outlier(void **state) {
  (void)state;
  struct cost_rates rates = {0};
  learn(&rates, &pairs, 5);
  cost_learn(&rates, &pairs, 3 * truth(&pairs));
  assert_true(fabs(ratio(&rates, &pairs) - 1.5) < 1e-9);
}

static void test_rates_are_never_negative(void **state) {
  (void)state;
  struct cost_rates rates = {0};
  learn(&rates, &gas, 1);
  for (size_t i = 0; i < 100; i++) {
    cost_learn(&rates, &crystal, 1e-9);
    assert_true(rates.atom >= 0 && rates.edge >= 0);
  }
}

static void test_nothing_is_learned_from_nothing(void **state) {
  (void)state;
  const struct irrep_plan empty = IRREP_PLAN_INIT;
  struct cost_rates rates = {0};
  cost_learn(&rates, &empty, 1);
  cost_learn(&rates, &crystal, 0);
  assert_true(rates.atom == 0 && rates.edge == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_first_batch_sets_the_rates),
      cmocka_unit_test(test_expected),
      cmocka_unit_test(test_both_rates_are_found),
      cmocka_unit_test(test_what_is_known_stays),
      cmocka_unit_test(test_outlier),
      cmocka_unit_test(test_rates_are_never_negative),
      cmocka_unit_test(test_nothing_is_learned_from_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
