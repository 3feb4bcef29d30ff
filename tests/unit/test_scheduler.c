#include "tests/unit/fake_scheduler.h"

/* Requests one after the other never wait. */
static void test_sequential_client(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 5; i++) {
    arrive(f, 8);
    expect_batch(f, 0, 1, "idle");
    assert_true(scheduler_wake_ns(f->scheduler) == SCHEDULER_NEVER);
    f->now_ns += 3 * MS;
    end(f);
    leave(f, 1);
    f->now_ns += MS / 10;
  }
}

/* What comes while all workers are busy is the next batch, in order. */
static void test_waiting_becomes_a_batch(void **state) {
  struct fixture *f = *state;
  arrive(f, 8);
  struct entry *first = arrive(f, 8);
  for (int i = 0; i < 9; i++)
    arrive(f, 8);
  assert_int_equal(f->n_batches, 1);
  assert_int_equal(scheduler_load(f->scheduler, &silicon_served).waiting.n_structures, 10);
  assert_int_equal(scheduler_load(f->scheduler, &silicon_served).waiting.n_atoms, 80);
  assert_int_equal(scheduler_load(f->scheduler, &gold_served).waiting.n_atoms, 0);
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 10, "idle");
  for (size_t i = 0; i < 10; i++)
    assert_ptr_equal(f->batches[0]->entries[i], first + i);
  assert_int_equal(f->batches[0]->work.arena_bytes, 800);
  end(f);
  leave(f, 11);
}

/* The first of several clients to come back waits for the others, but only for max_delay. */
static void test_delay(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 3; i++)
    arrive(f, 8);
  end_all(f);
  leave(f, 3);
  f->now_ns += MS;
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  assert_true(scheduler_wake_ns(f->scheduler) == f->now_ns + 2 * MS);
  f->now_ns += MS;
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  f->now_ns += MS - 1;
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_batches, 0);
  f->now_ns += 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "delay");
  end(f);
  leave(f, 2);
  /* All three are back before the delay: no reason to wait on. */
  for (int i = 0; i < 3; i++)
    arrive(f, 8);
  expect_batch(f, 0, 3, "idle");
  end(f);
  leave(f, 3);
  /* After a while nobody is expected any more. */
  f->now_ns += 2 * SCHEDULER_PEAK_NS;
  arrive(f, 8);
  expect_batch(f, 0, 1, "idle");
  end(f);
  leave(f, 1);
}

/* A request that is still being read is waited for. */
static void test_waits_for_reading(void **state) {
  struct fixture *f = *state;
  scheduler_enter(f->scheduler);
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  add(f, 8);
  scheduler_entered(f->scheduler);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "idle");
  end(f);
  leave(f, 2);
}

/* Peaks are remembered across one change of the window, not longer. */
static void test_peak_window(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 3; i++)
    arrive(f, 8);
  end_all(f);
  leave(f, 3);
  f->now_ns += SCHEDULER_PEAK_NS + MS;
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  f->now_ns += 2 * MS;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "delay");
  end(f);
  leave(f, 1);
  f->now_ns += SCHEDULER_PEAK_NS;
  arrive(f, 8);
  expect_batch(f, 0, 1, "idle");
  end(f);
  leave(f, 1);
}

static void test_full(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 15; i++)
    add(f, 8);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 12, "full"); /* 960 of 1000 bytes */
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 3, "idle");
  end(f);
}

/* A structure above max_batch_bytes goes alone. */
static void test_oversized(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  add(f, 8);
  add(f, 500);
  add(f, 8);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "full");
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "full");
  assert_int_equal(f->batches[0]->work.arena_bytes, 5000);
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "idle");
  end(f);
}

/* Idle workers share what waits by atoms. */
static void test_shares(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 24; i++)
    add(f, 3);
  f->idle = 2;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 12, "idle");
  expect_batch(f, 1, 12, "idle");
  end_all(f);
  f->idle = 0;
  add(f, 30);
  for (int i = 0; i < 10; i++)
    add(f, 3);
  f->idle = 2;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "idle");
  expect_batch(f, 1, 10, "idle");
  end_all(f);
  f->idle = 3;
  f->now_ns += 2 * SCHEDULER_PEAK_NS;
  arrive(f, 8);
  arrive(f, 8);
  expect_batch(f, 1, 1, "idle");
  end_all(f);
  leave(f, 2);
}

/* The head that does not fit the free memory waits, and nothing overtakes it. */
static void test_memory(void **state) {
  struct fixture *f = *state;
  f->idle = 3;
  f->free_bytes = 1500;
  add(f, 100);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "idle");
  add(f, 90);
  f->now_ns++;
  add_to(f, &gold, IRREP_FLOAT32, PRIORITY_INTERACTIVE, 1);
  add(f, 1);
  f->now_ns += 5 * MS;
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_batches, 1);
  end(f);
  scheduler_run(f->scheduler);
  assert_true(f->n_batches >= 2);
  assert_int_equal(f->batches[0]->sum.n_atoms, 90);
  end_all(f);
}

/* Batches are cut where the free memory ends. */
static void test_memory_cuts(void **state) {
  struct fixture *f = *state;
  f->free_bytes = 250;
  f->idle = 0;
  for (int i = 0; i < 4; i++)
    add(f, 10);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "full");
  end(f);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 2, "idle");
  end(f);
}

static void test_lanes(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 2; i++) {
    add_to(f, &gold, IRREP_FLOAT32, PRIORITY_INTERACTIVE, 1);
    f->now_ns++;
    add_to(f, &silicon, IRREP_FLOAT64, PRIORITY_INTERACTIVE, 2);
    f->now_ns++;
    add_to(f, &silicon, IRREP_FLOAT32, PRIORITY_INTERACTIVE, 3);
    f->now_ns++;
  }
  f->idle = 3;
  scheduler_run(f->scheduler);
  for (size_t i = 0; i < 3; i++) {
    expect_batch(f, i, 2, "idle");
    assert_int_equal(f->batches[i]->sum.n_atoms, 2 * (i + 1));
  }
  assert_ptr_equal(f->batches[0]->model, &gold);
  assert_int_equal(f->batches[1]->precision, IRREP_FLOAT64);
  assert_int_equal(f->batches[1]->work.arena_bytes, 80);
  assert_int_equal(scheduler_load(f->scheduler, &silicon_served).batches_running, 2);
  end_all(f);
}

static void test_deadlines(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  struct entry *late = add(f, 8);
  struct entry *later = add(f, 8);
  add(f, 8);
  scheduler_remove(f->scheduler, late); /* to be added again with a deadline */
  scheduler_remove(f->scheduler, later);
  late->deadline_ns = f->now_ns + 5 * MS;
  later->deadline_ns = f->now_ns + 9 * MS;
  assert_int_equal(scheduler_add(f->scheduler, &silicon, IRREP_FLOAT32, late), SCHEDULER_ADDED);
  assert_int_equal(scheduler_add(f->scheduler, &silicon, IRREP_FLOAT32, later), SCHEDULER_ADDED);
  scheduler_run(f->scheduler);
  assert_true(scheduler_wake_ns(f->scheduler) == late->deadline_ns);
  f->now_ns += 5 * MS;
  f->idle = 1; /* even now it is not computed */
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_expired, 1);
  assert_ptr_equal(f->expired, late);
  expect_batch(f, 0, 2, "delay");
  f->now_ns += 5 * MS; /* what runs does not expire */
  scheduler_run(f->scheduler);
  assert_int_equal(f->n_expired, 1);
  assert_true(scheduler_wake_ns(f->scheduler) == SCHEDULER_NEVER);
  end(f);
}

static void test_remove(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  struct entry *entries[4];
  for (size_t i = 0; i < 4; i++)
    entries[i] = add(f, 8);
  scheduler_remove(f->scheduler, entries[1]);
  assert_int_equal(scheduler_load(f->scheduler, NULL).waiting.n_structures, 3);
  assert_int_equal(entries[1]->state, ENTRY_IDLE);
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 3, "idle");
  assert_ptr_equal(f->batches[0]->entries[1], entries[2]);
  scheduler_remove(f->scheduler, entries[0]);
  scheduler_remove(f->scheduler, entries[2]);
  assert_int_equal(atomic_load(&f->batches[0]->cancelled), 0);
  scheduler_remove(f->scheduler, entries[3]);
  assert_int_equal(atomic_load(&f->batches[0]->cancelled), 1);
  end(f);
}

static void test_queue_bound(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 300; i++)
    add(f, 1);
  assert_false(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, 1, 1));
  assert_true(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, 0, 0));
  struct flow flow = {0};
  struct entry one_more = {.plan = PLAN(1, 1, 0), .flow = &flow, .deadline_ns = SCHEDULER_NEVER};
  assert_int_equal(scheduler_add(f->scheduler, &gold, IRREP_FLOAT32, &one_more), SCHEDULER_FULL);
  assert_int_equal(one_more.state, ENTRY_IDLE);
  scheduler_remove(f->scheduler, &f->entries[0]);
  assert_true(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, 1, 1));
  assert_false(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, 2, 2));
  assert_false(scheduler_has_room(f->scheduler, PRIORITY_INTERACTIVE, SIZE_MAX, 1));
  f->idle = 1;
  scheduler_run(f->scheduler);
  end_all(f);
}

/* Sums of a batch stay within 32-bit indices. */
static void test_index_bound(void **state) {
  struct fixture *f = *state;
  f->idle = 0;
  for (int i = 0; i < 2; i++) {
    struct entry *entry = add(f, 1);
    entry->plan.n_edges = (size_t)INT32_MAX / 2 + 1;
  }
  f->idle = 1;
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "full");
  end_all(f);
}

static void test_drain(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 3; i++)
    arrive(f, 8);
  end_all(f);
  leave(f, 3);
  arrive(f, 8);
  assert_int_equal(f->n_batches, 0);
  scheduler_drain(f->scheduler);
  scheduler_run(f->scheduler);
  expect_batch(f, 0, 1, "drain");
  end(f);
  leave(f, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_sequential_client),
      TEST(test_waiting_becomes_a_batch),
      TEST(test_delay),
      TEST(test_waits_for_reading),
      TEST(test_peak_window),
      TEST(test_full),
      TEST(test_oversized),
      TEST(test_shares),
      TEST(test_memory),
      TEST(test_memory_cuts),
      TEST(test_lanes),
      TEST(test_deadlines),
      TEST(test_remove),
      TEST(test_queue_bound),
      TEST(test_index_bound),
      TEST(test_drain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
