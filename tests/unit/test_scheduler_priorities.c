/* Interactive and bulk structures: who goes first, and what bulk is due. */
#include "tests/unit/fake_scheduler.h"

#define PATIENCE SCHEDULER_BULK_PATIENCE_NS

static struct entry *add_bulk(struct fixture *f, struct loaded_model *model, size_t n_atoms) {
  return add_to(f, model, IRREP_FLOAT32, PRIORITY_BULK, n_atoms);
}

/* Batches of at most 100 ms, at a millisecond an atom. */
static void bound_time(struct fixture *f) {
  const struct scheduler_limits limits = {.max_batch_bytes = 100000,
                                          .max_queue = 400,
                                          .max_batch_ns = 100 * MS,
                                          .max_delay_ns = 2 * MS};
  scheduler_set_limits(f->scheduler, &limits);
  silicon.rates[IRREP_FLOAT32].atom = gold.rates[IRREP_FLOAT32].atom = 1e-3;
}

static void test_priorities(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  const struct entry *bulk = add_bulk(f, &silicon, 60);
  f->now_ns++;
  const struct entry *other = add_bulk(f, &gold, 1);
  f->now_ns += MS;
  const struct entry *interactive = add(f, 60);
  f->idle = 1;
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], interactive); /* the lane's bulk does not fit */
  expect_batch(f, 0, 1, "full");
  end(f);
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], bulk);
  end(f);
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], other);
  end(f);
}

/* Bulk fills what interactive leaves of a batch. */
static void test_bulk_fills_up(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  add_bulk(f, &silicon, 8);
  const struct entry *interactive = add(f, 8);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "idle");
  assert_ptr_equal(f->batches[0]->entries[0], interactive);
  end(f);
}

/* But not for longer than a quarter of a batch, for which interactive structures would wait. */
static void test_bulk_fills_a_quarter(void **state) {
  struct fixture *f = *state;
  bound_time(f);
  f->idle = 0;
  for (int i = 0; i < 30; i++)
    add_bulk(f, &silicon, 10);
  add(f, 5);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 3, "time");
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 10, "time"); /* nothing interactive waits any more */
  end_all(f);
}

/* Bulk that has waited for its patience does not go before what is interactive, in any lane. */
static void test_interactive_first(void **state) {
  struct fixture *f = *state;
  bound_time(f);
  f->idle = 0;
  const struct entry *other = add_bulk(f, &gold, 80);
  f->now_ns++;
  const struct entry *bulk = add_bulk(f, &silicon, 80);
  f->now_ns += 10 * PATIENCE;
  const struct entry *interactive = add(f, 2);
  f->idle = 1;
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], interactive);
  expect_batch(f, 0, 1, "time");
  end(f);
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], other);
  end(f);
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], bulk);
  end(f);
}

/* The atoms by priority in so many batches, while there is always more of both, each structure of
 * so many atoms and its like replaced when it is computed. */
static void compute(struct fixture *f, size_t n_batches, size_t n_atoms[2]) {
  n_atoms[0] = n_atoms[1] = 0;
  for (size_t i = 0; i < n_batches; i++) {
    scheduler_run(f->scheduler);
    assert_int_equal(f->n_batches, 1);
    const struct batch *batch = f->batches[0];
    struct entry *entries[ENTRIES];
    struct loaded_model *model = batch->model;
    const size_t n = batch->n_entries;
    for (size_t k = 0; k < n; k++)
      entries[k] = batch->entries[k];
    f->now_ns += batch->sum.n_atoms * MS;
    f->batches[0]->evaluate_ns = batch->sum.n_atoms * MS;
    f->idle--; /* nothing begins before all is back */
    end(f);
    for (size_t k = 0; k < n; k++) {
      n_atoms[entries[k]->priority] += entries[k]->plan.n_atoms;
      entries[k]->arrived_ns = f->now_ns - PATIENCE;
      assert_int_equal(scheduler_add(f->scheduler, model, IRREP_FLOAT32, entries[k]),
                       SCHEDULER_ADDED);
    }
    f->idle++;
  }
}

static void remove_all(struct fixture *f) {
  for (size_t i = 0; i < f->n_entries; i++)
    if (f->entries[i].state == ENTRY_WAITING)
      scheduler_remove(f->scheduler, &f->entries[i]);
}

/* With always more of both to do, bulk has its quarter of the time: of the same model, of another
 * one, of small structures, and of one that takes several batches by itself. */
static void test_bulk_has_its_quarter(void **state) {
  struct fixture *f = *state;
  static const size_t n_atoms[] = {1, 10, 40, 100, 350};
  bound_time(f);
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i < 5; i++) {
      size_t done[2];
      f->n_entries = 0;
      memset(f->flows, 0, sizeof f->flows);
      f->idle = 0;
      for (int n = 0; n < 40; n++)
        add_bulk(f, k == 0 ? &silicon : &gold, n_atoms[i]);
      f->now_ns += PATIENCE;
      for (int n = 0; n < 200; n++)
        add(f, 2);
      f->idle = 1;
      compute(f, 200, done);
      const double part = (double)done[PRIORITY_BULK] / (double)(done[0] + done[1]);
      if (!(part > 0.2 && part < 0.3))
        fail_msg("%g of the time for bulk of %zu atoms in lane %d", part, n_atoms[i], k);
      remove_all(f);
    }
}

/* What no bulk has waited for is not saved up. */
static void test_nothing_is_hoarded(void **state) {
  struct fixture *f = *state;
  size_t done[2];
  bound_time(f);
  f->idle = 0;
  for (int n = 0; n < 100; n++)
    add(f, 2);
  f->idle = 1;
  compute(f, 100, done);
  assert_int_equal(done[PRIORITY_BULK], 0);
  f->idle = 0;
  for (int n = 0; n < 40; n++)
    add_bulk(f, &gold, 100);
  f->now_ns += PATIENCE;
  f->idle = 1;
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->model, &silicon);
  remove_all(f);
  end(f);
}

/* A bulk structure of many batches leaves a worker to what is interactive. */
static void test_long_bulk_leaves_a_worker(void **state) {
  struct fixture *f = *state;
  bound_time(f);
  f->idle = 0;
  const struct entry *first = add_bulk(f, &silicon, 1000), *second = add_bulk(f, &silicon, 1000);
  f->idle = 2;
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_batches, 1);
  assert_ptr_equal(f->batches[0]->entries[0], first);
  const struct entry *interactive = add(f, 2);
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_batches, 2);
  assert_ptr_equal(f->batches[1]->entries[0], interactive);
  end(f);
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_batches, 1); /* that of the small one still runs */
  end(f);
  scheduler_run(f->scheduler);
  assert_ptr_equal(f->batches[0]->entries[0], second);
  end(f);
}

/* Before a rate is known a batch is small. */
static void test_first_batch_is_small(void **state) {
  struct fixture *f = *state;
  bound_time(f);
  silicon.rates[IRREP_FLOAT32] = (struct cost_rates){0};
  f->idle = 0;
  for (int i = 0; i < 200; i++)
    add(f, 40);
  f->idle = 1;
  scheduler_run(f->scheduler);
  assert_in_range(f->batches[0]->n_entries, 1, 20);
  assert_string_equal(f->batches[0]->reason, "time");
  remove_all(f);
  end(f);
}

/* Bulk does not fill the queue: a quarter of it is left. */
static void test_room(void **state) {
  struct fixture *f = *state;
  const struct scheduler_limits limits = {
      .max_batch_bytes = 1000, .max_queue = 100, .max_queue_atoms = 1000, .max_delay_ns = 2 * MS};
  scheduler_set_limits(f->scheduler, &limits);
  f->idle = 0;
  assert_int_equal(scheduler_room(f->scheduler, PRIORITY_BULK), 75);
  assert_int_equal(scheduler_room(f->scheduler, PRIORITY_INTERACTIVE), 100);
  for (int i = 0; i < 75; i++) {
    assert_true(scheduler_has_room(f->scheduler, PRIORITY_BULK, 1, 1));
    add_bulk(f, &silicon, 10);
  }
  assert_false(scheduler_has_room(f->scheduler, PRIORITY_BULK, 1, 0));
  assert_true(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, 25, 250));
  assert_false(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, 1, 251));
  scheduler_remove(f->scheduler, &f->entries[0]);
  assert_true(scheduler_has_room(f->scheduler, PRIORITY_BULK, 1, 10));
  assert_false(scheduler_has_room(f->scheduler, PRIORITY_BULK, 1, 11));
  remove_all(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_priorities),
      TEST(test_bulk_fills_up),
      TEST(test_bulk_fills_a_quarter),
      TEST(test_interactive_first),
      TEST(test_bulk_has_its_quarter),
      TEST(test_nothing_is_hoarded),
      TEST(test_first_batch_is_small),
      TEST(test_long_bulk_leaves_a_worker),
      TEST(test_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
