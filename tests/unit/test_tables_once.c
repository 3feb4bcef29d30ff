#include "core/cpu/tables_once.h"
#include "tests/unit/support_filter.h"

#define THREADS 4

struct needed {
  struct trial trial;
  struct tables_once once;
  const struct kernels *kernels;
  atomic_int n_failed;
};

static void needed_init(struct needed *needed, enum irrep_precision precision) {
  *needed = (struct needed){.kernels = kernels_for(precision, NULL)};
  trial_init(&needed->trial, CUTOFF_POLYNOMIAL);
  tables_once_init(&needed->once);
}

static void needed_fini(struct needed *needed) {
  tables_once_fini(&needed->once);
  trial_fini(&needed->trial);
}

static enum irrep_status need(struct needed *needed) {
  return tables_once_need(&needed->once, &needed->trial.program, needed->trial.weights,
                          needed->kernels);
}

/* The same tables as by themselves, made by the first who needs them, and by nobody after that. */
static void test_made_when_needed(void **state) {
  (void)state;
  for (int p = 0; p < 2; p++) {
    struct needed needed;
    struct filter_tables alone;
    needed_init(&needed, p ? IRREP_FLOAT64 : IRREP_FLOAT32);
    assert_false(tables_once_is_made(&needed.once));
    assert_null(tables_once_get(&needed.once));
    assert_int_equal(need(&needed), IRREP_OK);
    const struct filter_tables *tables = tables_once_get(&needed.once);
    assert_true(tables && tables_once_is_made(&needed.once));
    assert_int_equal(
        filter_tables_make(&needed.trial.program, needed.trial.weights, needed.kernels, &alone),
        IRREP_OK);
    assert_int_equal(tables->bytes, alone.bytes);
    assert_memory_equal(tables->data, alone.data, alone.bytes);
    const void *data = tables->data;
    assert_int_equal(need(&needed), IRREP_OK);
    assert_ptr_equal(tables_once_get(&needed.once)->data, data);
    filter_tables_fini(&alone);
    needed_fini(&needed);
  }
}

static void *need_and_look(void *context) {
  struct needed *needed = context;
  if (need(needed) != IRREP_OK || !tables_once_get(&needed->once))
    atomic_fetch_add(&needed->n_failed, 1);
  return (void *)(uintptr_t)tables_once_get(&needed->once)->data;
}

/* Whoever comes second waits, and finds what the first has made. */
static void test_threads_share_one(void **state) {
  (void)state;
  struct needed needed;
  pthread_t threads[THREADS];
  void *data[THREADS];
  needed_init(&needed, IRREP_FLOAT64);
  for (size_t i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, need_and_look, &needed), 0);
  for (size_t i = 0; i < THREADS; i++)
    assert_int_equal(pthread_join(threads[i], &data[i]), 0);
  for (size_t i = 0; i < THREADS; i++)
    assert_ptr_equal(data[i], needed.once.tables.data);
  assert_int_equal(atomic_load(&needed.n_failed), 0);
  needed_fini(&needed);
}

/* Filters that cannot be tabulated: that is known then, too. */
static void test_without_tables(void **state) {
  (void)state;
  struct needed needed;
  needed_init(&needed, IRREP_FLOAT64);
  needed.trial.program.columns_max = 0;
  assert_int_equal(need(&needed), IRREP_OK);
  assert_true(tables_once_is_made(&needed.once));
  assert_null(tables_once_get(&needed.once));
  needed_fini(&needed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_made_when_needed),
      cmocka_unit_test(test_threads_share_one),
      cmocka_unit_test(test_without_tables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
