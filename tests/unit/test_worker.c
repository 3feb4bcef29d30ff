#include "irrep/conventions.h"
#include "server/compute/worker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define BUDGET ((size_t)64 << 20)

struct fixture {
  uv_loop_t loop;
  struct workers *workers;
  pthread_t loop_thread;
  size_t n_done, n_settled;
};

struct job {
  struct work work;
  struct fixture *fixture;
  atomic_int *gate; /* NULL, or run waits until it is 0 */
  void *arena;
  size_t bytes;
  bool on_worker;
  int n_runs;
};

static void settled(void *context) {
  ((struct fixture *)context)->n_settled++;
}

static void run(struct work *work, void *arena, size_t bytes) {
  struct job *job = (struct job *)work;
  job->on_worker = !pthread_equal(pthread_self(), job->fixture->loop_thread);
  job->arena = arena;
  job->bytes = bytes;
  job->n_runs++;
  if (arena)
    memset(arena, 1, bytes);
  while (job->gate && atomic_load(job->gate))
    uv_sleep(1);
}

static void done(struct work *work) {
  struct job *job = (struct job *)work;
  assert_true(pthread_equal(pthread_self(), job->fixture->loop_thread));
  job->fixture->n_done++;
}

static struct job job_of(struct fixture *f, size_t bytes, atomic_int *gate) {
  return (struct job){
      .work = {.run = run, .done = done, .arena_bytes = bytes}, .fixture = f, .gate = gate};
}

static void wait_done(struct fixture *f, size_t n) {
  while (f->n_done < n)
    uv_run(&f->loop, UV_RUN_ONCE);
  assert_int_equal(f->n_done, n);
}

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f || uv_loop_init(&f->loop) != 0)
    return -1;
  f->loop_thread = pthread_self();
  f->workers = workers_new(&f->loop, 2, BUDGET, settled, f);
  *state = f;
  return f->workers ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  workers_free(f->workers);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  int open_handles = uv_loop_close(&f->loop);
  free(f);
  return open_handles;
}

static void test_runs_elsewhere(void **state) {
  struct fixture *f = *state;
  struct job job = job_of(f, 1000, NULL);
  assert_int_equal(workers_idle(f->workers), 2);
  assert_true(workers_start(f->workers, &job.work));
  assert_int_equal(workers_idle(f->workers), 1);
  wait_done(f, 1);
  assert_int_equal(f->n_settled, 1);
  assert_int_equal(workers_idle(f->workers), 2);
  assert_int_equal(workers_planned(f->workers), 0);
  assert_true(job.on_worker);
  assert_int_equal(job.n_runs, 1);
  assert_true(job.bytes >= 1000);
  assert_int_equal((uintptr_t)job.arena % IRREP_ALIGNMENT, 0);
}

static void test_two_at_a_time(void **state) {
  struct fixture *f = *state;
  atomic_int gate = 1;
  struct job jobs[3];
  for (size_t i = 0; i < 3; i++)
    jobs[i] = job_of(f, 100, &gate);
  assert_true(workers_start(f->workers, &jobs[0].work));
  assert_true(workers_start(f->workers, &jobs[1].work));
  assert_int_equal(workers_idle(f->workers), 0);
  assert_int_equal(workers_available(f->workers), 0);
  assert_false(workers_start(f->workers, &jobs[2].work));
  atomic_store(&gate, 0);
  wait_done(f, 2);
  assert_int_equal(jobs[2].n_runs, 0);
}

/* Queued work waits for a worker, and each runs once. */
static void test_queue(void **state) {
  struct fixture *f = *state;
  atomic_int gate = 1;
  struct job jobs[8];
  for (size_t i = 0; i < 8; i++) {
    jobs[i] = job_of(f, 0, &gate);
    workers_queue(f->workers, &jobs[i].work);
  }
  assert_int_equal(workers_idle(f->workers), 0);
  assert_true(workers_are_wanted(f->workers));
  atomic_store(&gate, 0);
  wait_done(f, 8);
  assert_false(workers_are_wanted(f->workers));
  workers_want(f->workers, true);
  assert_true(workers_are_wanted(f->workers));
  workers_want(f->workers, false);
  assert_false(workers_are_wanted(f->workers));
  for (size_t i = 0; i < 8; i++)
    assert_int_equal(jobs[i].n_runs, 1);
  assert_int_equal(workers_idle(f->workers), 2);
}

static void test_budget(void **state) {
  struct fixture *f = *state;
  atomic_int gate = 1;
  struct job large = job_of(f, BUDGET, NULL), half = job_of(f, BUDGET / 2, &gate);
  struct job more = job_of(f, BUDGET / 2 + 64, NULL), other = job_of(f, BUDGET / 2, NULL);
  struct job beyond = job_of(f, BUDGET + 1, NULL);
  assert_int_equal(workers_available(f->workers), BUDGET);
  assert_true(workers_start(f->workers, &large.work));
  wait_done(f, 1);
  assert_int_equal(large.bytes, BUDGET);

  /* The arena of BUDGET is kept by its idle worker, but makes room. */
  assert_int_equal(workers_available(f->workers), BUDGET);
  workers_trim(f->workers, 0);
  assert_true(workers_start(f->workers, &half.work));
  size_t available = workers_available(f->workers);
  assert_true(available <= BUDGET / 2);
  assert_int_equal(workers_planned(f->workers), BUDGET - available);
  assert_false(workers_start(f->workers, &more.work));
  assert_false(workers_start(f->workers, &beyond.work));
  atomic_store(&gate, 0);
  wait_done(f, 2);
  assert_true(workers_start(f->workers, &other.work));
  wait_done(f, 3);
  assert_true(half.bytes >= BUDGET / 2 && other.bytes >= BUDGET / 2);
}

/* Arenas of both workers together never exceed the budget, whatever the order of sizes. */
static void test_makes_room(void **state) {
  struct fixture *f = *state;
  static const size_t sizes[][2] = {{40, 20}, {20, 40}, {60, 1}, {1, 60}, {32, 32}, {62, 2}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    atomic_int gate = 1;
    struct job jobs[2];
    size_t held = 0;
    for (size_t k = 0; k < 2; k++) {
      jobs[k] = job_of(f, sizes[i][k] << 20, &gate);
      if (!workers_start(f->workers, &jobs[k].work))
        jobs[k].work.arena_bytes = 0;
      held += jobs[k].work.arena_bytes;
    }
    assert_true(held > 0);
    assert_true(workers_planned(f->workers) <= BUDGET);
    assert_true(workers_planned(f->workers) >= held);
    atomic_store(&gate, 0);
    size_t n = (jobs[0].work.arena_bytes > 0) + (size_t)(jobs[1].work.arena_bytes > 0);
    wait_done(f, f->n_done + n);
    for (size_t k = 0; k < 2; k++)
      assert_true(jobs[k].bytes >= jobs[k].work.arena_bytes);
  }
}

/* An arena is kept for the next work of its size, and large ones are given back when idle. */
static void test_kept_and_trimmed(void **state) {
  struct fixture *f = *state;
  struct job first = job_of(f, (size_t)20 << 20, NULL), second = job_of(f, 1000, NULL);
  assert_true(workers_start(f->workers, &first.work));
  wait_done(f, 1);
  struct job again = job_of(f, (size_t)22 << 20, NULL);
  assert_true(workers_start(f->workers, &again.work));
  wait_done(f, 2);
  assert_int_equal(again.bytes, first.bytes); /* a quarter more was taken at first */
  workers_trim(f->workers, 0);
  assert_true(workers_start(f->workers, &second.work));
  wait_done(f, 3);
  assert_true(second.bytes < first.bytes);
}

/* A piece of work whose tasks wait until a helper has done one. */
struct helped {
  struct work work;
  struct workers *workers;
  atomic_int helped, done;
};

static void task(void *context, size_t thread, size_t index) {
  struct helped *helped = context;
  (void)index;
  if (thread > 0)
    atomic_store(&helped->helped, 1);
  while (!atomic_load(&helped->helped))
    uv_sleep(1);
  atomic_fetch_add(&helped->done, 1);
}

static void run_helped(struct work *work, void *arena, size_t bytes) {
  struct helped *helped = (struct helped *)work;
  struct team team;
  void *scratch[] = {arena};
  (void)bytes;
  if (!workers_open_team(helped->workers, &team, 1, scratch))
    return;
  for (int round = 0; round < 3; round++) {
    atomic_store(&helped->helped, 0);
    team.core.run(team.core.context, task, helped, 50);
  }
  workers_close_team(helped->workers, &team);
}

static void done_helped(struct work *work) {
  ((struct helped *)work)->work.next = work;
}

/* The idle worker helps the other, is idle to everybody else, and takes work of its own. */
static void test_idle_workers_help(void **state) {
  struct fixture *f = *state;
  struct helped helped = {.work = {.run = run_helped, .done = done_helped, .arena_bytes = 100},
                          .workers = f->workers};
  for (int i = 0; i < 5; i++) {
    helped.work.next = NULL;
    atomic_store(&helped.done, 0);
    assert_true(workers_start(f->workers, &helped.work));
    assert_int_equal(workers_idle(f->workers), 1);
    while (helped.work.next != &helped.work)
      uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(atomic_load(&helped.done), 150);
    struct job job = job_of(f, 100, NULL);
    assert_true(workers_start(f->workers, &job.work));
    wait_done(f, f->n_done + 1);
  }
  assert_true(workers_helped(f->workers) >= 15);
  assert_int_equal(workers_count(f->workers), 2);
}

static void test_budget_changes(void **state) {
  struct fixture *f = *state;
  struct job job = job_of(f, 2000, NULL), small = job_of(f, 100, NULL);
  workers_set_budget(f->workers, 1000);
  assert_int_equal(workers_available(f->workers), 1000);
  assert_true(workers_start(f->workers, &small.work));
  assert_false(workers_start(f->workers, &job.work));
  wait_done(f, 1);
  assert_true(workers_start(f->workers, &job.work)); /* alone */
  wait_done(f, 2);
  assert_int_equal(job.bytes >= 2000, 1);
  workers_set_budget(f->workers, BUDGET);
  assert_int_equal(workers_available(f->workers), BUDGET);
  /* Arenas of idle workers that a smaller budget has no room for are given back. */
  workers_set_budget(f->workers, 2000);
  atomic_int gate = 1;
  struct job both[2] = {job_of(f, 0, &gate), job_of(f, 0, &gate)};
  for (size_t i = 0; i < 2; i++)
    workers_queue(f->workers, &both[i].work);
  assert_int_equal(workers_idle(f->workers), 0);
  atomic_store(&gate, 0);
  wait_done(f, 4);
  assert_true(both[0].bytes < 2000 && both[1].bytes < 2000);
}

/* More memory than there is: the work runs, and sees that it has none. */
static void test_no_memory(void **state) {
  struct fixture *f = *state;
  struct workers *workers = workers_new(&f->loop, 1, SIZE_MAX / 2, settled, f);
  assert_non_null(workers);
  struct job job = job_of(f, SIZE_MAX / 4, NULL), next = job_of(f, 1000, NULL);
  assert_true(workers_start(workers, &job.work));
  wait_done(f, 1);
  assert_null(job.arena);
  assert_int_equal(job.bytes, 0);
  assert_true(workers_start(workers, &next.work));
  wait_done(f, 2);
  assert_true(next.bytes >= 1000);
  workers_free(workers);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_runs_elsewhere), TEST(test_two_at_a_time),     TEST(test_queue),
      TEST(test_budget),         TEST(test_makes_room),        TEST(test_kept_and_trimmed),
      TEST(test_no_memory),      TEST(test_idle_workers_help), TEST(test_budget_changes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A sanitizer's allocator returns NULL for what cannot be, as malloc does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
  return "allocator_may_return_null=1";
}
