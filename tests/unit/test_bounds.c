#include "server/models/bounds.h"
#include "tests/unit/fake_evaluator.h"
#include "tests/unit/plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* The bound of edges is exact: the last count that fits does, the next does not. */
static void test_bounds(void **state) {
  (void)state;
  struct irrep_model *model = fake_model();
  static const size_t budgets[] = {0, FAKE_ATOM_BYTES, 5000, (size_t)2 << 30, SIZE_MAX / 256};
  for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++)
    for (int precision = 0; precision < 2; precision++) {
      enum irrep_precision p = precision ? IRREP_FLOAT64 : IRREP_FLOAT32;
      struct bounds b = bounds_search(&fake_evaluator, model, p, budgets[i]);
      struct irrep_plan plan = PLAN(1, 1, b.max_edges);
      assert_int_equal(b.max_bytes, budgets[i]);
      if (b.max_edges > 0)
        assert_true(fake_bytes(model, p, &plan) <= budgets[i]);
      plan.n_edges++;
      assert_true(fake_bytes(model, p, &plan) > budgets[i]);
    }
  free(model);
}

static size_t n_calls;

static size_t counting_bytes(const struct irrep_model *model, enum irrep_precision precision,
                             const struct irrep_plan *batch) {
  n_calls++;
  return fake_bytes(model, precision, batch);
}

/* A model is searched once, until the budget changes. */
static void test_cache(void **state) {
  (void)state;
  struct evaluator evaluator = fake_evaluator;
  evaluator.bytes = counting_bytes;
  struct irrep_model *model = fake_model();
  struct bounds_cache cache = {0};
  n_calls = 0;
  const struct bounds *bounds = bounds_find(&cache, &evaluator, model, 1 << 20);
  assert_true(n_calls > 0);
  assert_int_equal(bounds[IRREP_FLOAT32].max_edges, (1 << 20) - FAKE_ATOM_BYTES);
  assert_int_equal(bounds[IRREP_FLOAT64].max_edges, (1 << 19) - FAKE_ATOM_BYTES);
  size_t first = n_calls;
  assert_ptr_equal(bounds_find(&cache, &evaluator, model, 1 << 20), bounds);
  assert_int_equal(n_calls, first);
  bounds = bounds_find(&cache, &evaluator, model, 1 << 19);
  assert_true(n_calls > first);
  assert_int_equal(bounds[IRREP_FLOAT32].max_bytes, 1 << 19);
  free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounds), cmocka_unit_test(test_cache)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
