#include "server/compute/team.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define HELPERS 3
#define TASKS 200

struct helper {
  pthread_t thread;
  struct fixture *fixture;
  atomic_bool wanted;
  size_t n_done;
};

struct fixture {
  pthread_mutex_t mutex;
  struct team team;
  struct helper helpers[HELPERS];
  atomic_int counts[TASKS]; /* calls of each task */
  atomic_int inside[1 + HELPERS];
  atomic_int violations, n_slow;
  bool waits_for_help; /* the caller's tasks wait until a helper has done one */
  atomic_int helped;
};

static void task(void *context, size_t thread, size_t index) {
  struct fixture *f = context;
  if (thread > HELPERS || atomic_fetch_add(&f->inside[thread], 1) != 0)
    atomic_fetch_add(&f->violations, 1);
  if (thread > 0)
    atomic_store(&f->helped, 1);
  while (f->waits_for_help && thread == 0 && !atomic_load(&f->helped))
    sched_yield();
  atomic_fetch_add(&f->counts[index], 1);
  atomic_fetch_sub(&f->inside[thread], 1);
}

static void *help(void *context) {
  struct helper *h = context;
  struct fixture *f = h->fixture;
  pthread_mutex_lock(&f->mutex);
  if (team_has_place(&f->team))
    h->n_done = team_help(&f->team, &h->wanted);
  pthread_mutex_unlock(&f->mutex);
  return NULL;
}

static struct fixture *begin(size_t n_places) {
  struct fixture *f = calloc(1, sizeof *f);
  static void *scratch[HELPERS];
  assert_non_null(f);
  pthread_mutex_init(&f->mutex, NULL);
  assert_true(team_init(&f->team, &f->mutex, n_places, scratch));
  return f;
}

static void start_helper(struct fixture *f, size_t i) {
  f->helpers[i].fixture = f;
  assert_int_equal(pthread_create(&f->helpers[i].thread, NULL, help, &f->helpers[i]), 0);
}

static void share_out(struct fixture *f, int round) {
  f->team.core.run(f->team.core.context, task, f, TASKS);
  for (size_t i = 0; i < TASKS; i++)
    assert_int_equal(atomic_load(&f->counts[i]), round);
  assert_int_equal(atomic_load(&f->violations), 0);
}

static void end(struct fixture *f) {
  pthread_mutex_destroy(&f->mutex);
  free(f);
}

static void test_alone(void **state) {
  (void)state;
  struct fixture *f = begin(0);
  assert_false(team_has_place(&f->team));
  share_out(f, 1);
  share_out(f, 2);
  team_fini(&f->team);
  assert_false(team_has_place(&f->team));
  end(f);
}

/* Every task is done once in every round, whoever does it, and the caller is helped. */
static void test_helped(void **state) {
  (void)state;
  struct fixture *f = begin(HELPERS);
  size_t n_helped = 0;
  for (size_t i = 0; i < HELPERS; i++)
    start_helper(f, i);
  f->waits_for_help = true;
  for (int round = 1; round <= 20; round++) {
    atomic_store(&f->helped, 0);
    share_out(f, round);
  }
  team_fini(&f->team);
  for (size_t i = 0; i < HELPERS; i++) {
    pthread_join(f->helpers[i].thread, NULL);
    n_helped += f->helpers[i].n_done;
  }
  assert_true(n_helped >= 20);
  end(f);
}

/* A helper that is wanted elsewhere leaves between two rounds, and its place is free again. */
static void test_leaves(void **state) {
  (void)state;
  struct fixture *f = begin(1);
  start_helper(f, 0);
  f->waits_for_help = true;
  share_out(f, 1);
  pthread_mutex_lock(&f->mutex);
  assert_false(team_has_place(&f->team));
  atomic_store(&f->helpers[0].wanted, true);
  team_wake(&f->team);
  pthread_mutex_unlock(&f->mutex);
  pthread_join(f->helpers[0].thread, NULL);
  pthread_mutex_lock(&f->mutex);
  assert_true(team_has_place(&f->team));
  pthread_mutex_unlock(&f->mutex);
  f->waits_for_help = false;
  share_out(f, 2);
  start_helper(f, 1);
  f->waits_for_help = true;
  atomic_store(&f->helped, 0);
  share_out(f, 3);
  team_fini(&f->team);
  pthread_join(f->helpers[1].thread, NULL);
  end(f);
}

static void yielding_task(void *context, size_t thread, size_t index) {
  struct fixture *f = context;
  (void)thread;
  if (index + 4 > TASKS)
    sched_yield(); /* the last ones end after the caller has found none left */
  atomic_fetch_add(&f->counts[index], 1);
}

/* Rounds follow each other while helpers still end the last tasks, come and go. */
static void test_many_rounds(void **state) {
  (void)state;
  struct fixture *f = begin(HELPERS);
  for (size_t i = 0; i < HELPERS; i++)
    start_helper(f, i);
  for (int round = 1; round <= 1000; round++) {
    f->team.core.run(f->team.core.context, yielding_task, f, TASKS);
    for (size_t i = 0; i < TASKS; i++)
      assert_int_equal(atomic_load(&f->counts[i]), round);
  }
  team_fini(&f->team);
  for (size_t i = 0; i < HELPERS; i++)
    pthread_join(f->helpers[i].thread, NULL);
  end(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_alone),
      cmocka_unit_test(test_helped),
      cmocka_unit_test(test_leaves),
      cmocka_unit_test(test_many_rounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
