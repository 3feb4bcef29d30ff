/* Turns of requests, bounds in time and atoms, and the rate they rest on. */
#include "tests/unit/fake_scheduler.h"

/* Entries of one request. */
static void add_request(struct fixture *f, size_t n, size_t n_atoms) {
  struct flow *flow = &f->flows[f->n_entries];
  for (size_t i = 0; i < n; i++) {
    struct entry *entry = add(f, n_atoms);
    scheduler_remove(f->scheduler, entry); /* to be added again under the one flow */
    entry->flow = flow;
    assert_int_equal(scheduler_add(f->scheduler, &silicon, IRREP_FLOAT32, entry), SCHEDULER_ADDED);
  }
}

/* A small request that comes after a request of many structures is in the next batch. */
static void test_requests_take_turns(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  add_request(f, 40, 10); /* ten fit a batch */
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 10, "full");
  f->now_ns++;
  struct entry *small = add(f, 10), *other = add(f, 10);
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 10, "full");
  assert_ptr_equal(f->batches[0]->entries[1], small);
  assert_ptr_equal(f->batches[0]->entries[2], other);
  end_all(f);
  assert_int_equal(scheduler_load(f->scheduler, NULL).waiting.n_structures, 0);
}

/* Two requests of many share each batch. */
static void test_equal_shares(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  add_request(f, 30, 10);
  const struct flow *first = f->entries[0].flow;
  add_request(f, 30, 10);
  f->idle = 1;
  for (int turn = 0; turn < 6; turn++) {
    size_t n_first = 0;
    scheduler_run(f->scheduler);
    expect_batch(f, 0, 10, turn < 5 ? "full" : "idle");
    for (size_t i = 0; i < 10; i++)
      n_first += f->batches[0]->entries[i]->flow == first;
    assert_int_equal(n_first, 5);
    end(f);
  }
}

/* Batches are bounded in time once a rate is known; one structure alone is not. */
static void test_time_bound(void **state) {
  struct fixture *f = *state;
  const struct scheduler_limits limits = {
      .max_batch_bytes = 1000, .max_queue = 300, .max_batch_ns = 30 * MS, .max_delay_ns = 2 * MS};
  scheduler_set_limits(f->scheduler, &limits);
  f->idle = 0;
  for (int i = 0; i < 3; i++)
    add(f, 10);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 3, "idle");
  f->batches[0]->evaluate_ns = 30 * MS; /* a millisecond an atom */
  end(f);
  f->idle = 0;
  for (int i = 0; i < 5; i++)
    add(f, 10);
  add(f, 50);
  assert_float_equal(scheduler_backlog_seconds(f->scheduler), 0.1, 1e-12);
  f->idle = 1;
  static const size_t wanted[] = {3, 2, 1};
  for (size_t i = 0; i < 3; i++) {
    scheduler_run(f->scheduler);
    expect_batch(f, 0, wanted[i], i < 2 ? "time" : "idle");
    end(f);
  }
  assert_true(scheduler_backlog_seconds(f->scheduler) == 0);
}

/* What the members of a committee take counts as well. */
static void test_time_bound_of_committees(void **state) {
  struct fixture *f = *state;
  const struct scheduler_limits limits = {
      .max_batch_bytes = 1000, .max_queue = 300, .max_batch_ns = 30 * MS, .max_delay_ns = 2 * MS};
  scheduler_set_limits(f->scheduler, &limits);
  f->idle = 0;
  add(f, 10);
  f->idle = 1;
  scheduler_run(f->scheduler);
  f->batches[0]->evaluate_ns = 10 * MS; /* a millisecond an atom */
  end(f);
  f->idle = 0;
  f->extra_seconds = 0.005;
  for (int i = 0; i < 4; i++)
    add(f, 10);
  f->idle = 1;
  static const size_t wanted[] = {2, 2};
  for (size_t i = 0; i < 2; i++) {
    scheduler_run(f->scheduler);
    expect_batch(f, 0, wanted[i], i < 1 ? "time" : "idle");
    end(f);
  }
}

/* The rate follows the batches that ran to their end. */
static void test_rate(void **state) {
  struct fixture *f = *state;
  static const uint64_t times[] = {100 * MS, 20 * MS, 20 * MS, 20 * MS};
  double before = 1;
  for (size_t i = 0; i < 4; i++) {
    add(f, 10);
    scheduler_run(f->scheduler);
    f->batches[0]->evaluate_ns = times[i];
    end(f);
    assert_true(silicon.rates[IRREP_FLOAT32].atom < before);
    before = silicon.rates[IRREP_FLOAT32].atom;
  }
  assert_true(before > 20e-3 / 10 && before < 60e-3 / 10);
  struct entry *entry = add(f, 10);
  scheduler_run(f->scheduler);
  scheduler_remove(f->scheduler, entry);
  f->batches[0]->evaluate_ns = 1;
  end(f);
  assert_true(silicon.rates[IRREP_FLOAT32].atom == before);
  assert_true(silicon.rates[IRREP_FLOAT64].atom == 0);
}

/* A request of many batches fills only a quarter of the batches that it shares with shorter ones,
 * and all of those that it shares with its like. */
static void test_short_requests_end_soon(void **state) {
  struct fixture *f = *state;
  const struct scheduler_limits limits = {
      .max_batch_bytes = 10000, .max_queue = 300, .max_batch_ns = 200 * MS, .max_delay_ns = 2 * MS};
  scheduler_set_limits(f->scheduler, &limits);
  silicon.rates[IRREP_FLOAT32].atom = 1e-3;
  f->idle = 0;
  add_request(f, 100, 10); /* 1 s */
  add_request(f, 60, 10);  /* 0.6 s */
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 20, "time");
  add(f, 10);
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 5, "time");
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 20, "time");
  add_request(f, 9, 10);
  const struct entry *last = &f->entries[f->n_entries - 1];
  while (last->state == ENTRY_WAITING) {
    end(f);
    scheduler_run(f->scheduler);
    assert_in_range(f->batches[0]->n_entries, 5, 6); /* its own may go beyond the quarter */
  }
  scheduler_drain(f->scheduler);
  end_all(f);
}

static void test_atoms_bound(void **state) {
  struct fixture *f = *state;
  const struct scheduler_limits limits = {
      .max_batch_bytes = 1000, .max_queue = 300, .max_queue_atoms = 100, .max_delay_ns = 2 * MS};
  scheduler_set_limits(f->scheduler, &limits);
  f->idle = 0;
  assert_true(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, 1, 5000)); /* nothing waits */
  add(f, 60);
  assert_true(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, 2, 40));
  assert_false(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, 1, 41));
  f->idle = 1;
  scheduler_run(f->scheduler);
  end_all(f);
}

/* A model may go when nothing of it is left: the scheduler does not look at it any more. */
static void test_forgets_models(void **state) {
  struct fixture *f = *state;
  add_to(f, &gold, IRREP_FLOAT32, PRIORITY_INTERACTIVE, 5);
  scheduler_run(f->scheduler);
  end(f);
  struct entry *entry = add_to(f, &gold, IRREP_FLOAT64, PRIORITY_BULK, 5);
  scheduler_remove(f->scheduler, entry);
  gold.served = NULL; /* a lane that was left would look */
  assert_int_equal(scheduler_load(f->scheduler, &gold_served).waiting.n_structures, 0);
  add(f, 5);
  scheduler_run(f->scheduler);
  end_all(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_requests_take_turns),
      TEST(test_equal_shares),
      TEST(test_time_bound),
      TEST(test_time_bound_of_committees),
      TEST(test_rate),
      TEST(test_atoms_bound),
      TEST(test_forgets_models),
      TEST(test_short_requests_end_soon),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
