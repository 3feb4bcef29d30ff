#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/turns.h"
#include "tests/unit/fake_calls.h"

static bool every(const struct predict_job *job) {
  (void)job;
  return true;
}

#define BULK ",\"priority\":\"bulk\""

/* The next job gets a turn, without coming to a worker; whose it is. */
static const struct predict_job *turn(struct predictor *p) {
  struct predict_job *job = turns_next(p, every);
  assert_non_null(job);
  turns_give(job);
  return job;
}

/* A client with two requests has no more turns than one with one, and bulk has every fourth. */
static void test_whose_turn(void **state) {
  struct fake_served *fake = *state;
  struct predictor *p = fake->predictor;
  struct fake_call busy[2], first, a[2], b, bulk;
  allow_many(fake);
  occupy(fake, busy);
  assert_null(turns_next(p, every));
  begin(fake, &first, "first", PLANNED_LATER, false);
  assert_int_equal(first.job->state, JOB_PLANNING);
  begin_pairs(fake, &bulk, "c", PLANNED_LATER, BULK, false);
  begin(fake, &a[0], "a", PLANNED_LATER, false);
  begin(fake, &a[1], "a", PLANNED_LATER, false);
  begin(fake, &b, "b", PLANNED_LATER, false);
  assert_ptr_equal(turn(p), a[0].job);
  assert_ptr_equal(turn(p), b.job);
  assert_ptr_equal(turn(p), a[0].job);
  assert_ptr_equal(turn(p), bulk.job);
  assert_ptr_equal(turn(p), b.job);
  assert_ptr_equal(turn(p), a[0].job);
  predict_cancel(b.job);
  assert_ptr_equal(turn(p), a[0].job);
  assert_ptr_equal(turn(p), bulk.job);
  predict_cancel(bulk.job);
  for (int i = 0; i < 5; i++)
    assert_ptr_equal(turn(p), a[0].job);
  begin(fake, &b, NULL, PLANNED_LATER, false); /* nobody's: behind those who wait */
  assert_ptr_equal(turn(p), a[0].job);
  assert_ptr_equal(turn(p), b.job);
  release(fake, busy);
  finish(fake, &first);
  finish(fake, &a[0]);
  finish(fake, &a[1]);
  finish(fake, &b);
  end(&first, 200);
  end(&a[0], 200);
  end(&a[1], 200);
  end(&b, 200);
  assert_null(turns_next(p, every));
}

/* Many requests of one client are planned in turns with another's: its two come between. */
static void test_others_come_between(void **state) {
  enum { MANY_CALLS = 8 };
  struct fake_served *fake = *state;
  struct fake_call busy[2], a[MANY_CALLS], b, small;
  allow_many(fake);
  occupy(fake, busy);
  for (size_t i = 0; i < MANY_CALLS; i++)
    begin(fake, &a[i], "a", TWO_TURNS, false);
  begin(fake, &b, "b", TWO_TURNS, false);
  begin(fake, &small, "c", 1, false);
  assert_int_equal(small.job->state, JOB_QUEUED);
  release(fake, busy);
  WAIT_FOR(&fake->loop, b.job->state == JOB_QUEUED || b.job->state == JOB_RUNNING);
  assert_in_range(predictor_stats(fake->predictor).n_turns, 5, 6);
  finish(fake, &b);
  finish(fake, &small);
  end(&small, 200);
  end(&b, 200);
  for (size_t i = 0; i < MANY_CALLS; i++) {
    finish(fake, &a[i]);
    end(&a[i], 200);
  }
  assert_int_equal(predictor_stats(fake->predictor).n_turns, 2 * MANY_CALLS + 2);
}

static void test_what_is_told(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], a, b;
  allow_many(fake);
  occupy(fake, busy);
  begin(fake, &a, "a", 400, false);
  begin(fake, &b, "b", 300, true);
  struct predictor_stats stats = predictor_stats(fake->predictor);
  assert_int_equal(stats.planning_requests, 2);
  assert_int_equal(stats.planning_structures, 700);
  assert_int_equal(stats.queued_structures, 0);
  assert_true(fake_served_metric(fake, "irrepd_planning_structures") == 700);
  predict_cancel(a.job);
  stats = predictor_stats(fake->predictor);
  assert_int_equal(stats.planning_requests, 1);
  assert_int_equal(stats.planning_structures, 300);
  release(fake, busy);
  finish(fake, &b);
  end(&b, 200);
  stats = predictor_stats(fake->predictor);
  assert_int_equal(stats.planning_requests, 0);
  assert_int_equal(stats.planning_structures, 0);
  assert_true(fake_served_metric(fake, "irrepd_planning_structures") == 0);
  assert_true(fake_served_metric(fake, "irrepd_planning_turns_total") == 2);
}

/* Nobody waits any more: the turn that is under way ends with the structure it is at. */
static void test_cancelled(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], a;
  allow_many(fake);
  occupy(fake, busy);
  begin(fake, &a, "a", TWO_TURNS, false);
  assert_int_equal(a.job->state, JOB_PLANNING);
  predict_cancel(a.job);
  release(fake, busy);
  WAIT_FOR(&fake->loop, fake->predictor->n_jobs == 0);
  assert_int_equal(predictor_stats(fake->predictor).n_turns, 1);
  assert_int_equal(a.n_replies, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)
      TEST(test_whose_turn),
      TEST(test_others_come_between),
      TEST(test_what_is_told),
      TEST(test_cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
