#define _GNU_SOURCE /* mkdtemp */
#include "server/jobs/admission.h"
#include "tests/unit/fake_calls.h"

/* A client has three quarters of the queue of 64 unless told otherwise; others go on. */
static void test_share_of_a_client(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], a, b, c, d;
  occupy(fake, busy);
  begin(fake, &a, "a", 40, false);
  begin(fake, &b, "a", 9, false);
  finish(fake, &b);
  assert_string_equal(get(b.json, "type")->valuestring, "urn:irrepd:client-quota");
  assert_true(b.reply.retry_after_s >= 1);
  end(&b, 429);
  begin(fake, &c, "b", 9, false);
  begin(fake, &d, "a", 8, false);
  assert_int_equal(predictor_stats(fake->predictor).queued_structures, 57);
  begin(fake, &b, "b", 8, false);
  finish(fake, &b);
  assert_string_equal(get(b.json, "type")->valuestring, "urn:irrepd:queue-full");
  end(&b, 503);
  predict_cancel(d.job); /* gives its share back */
  begin(fake, &d, "a", 8, false);
  release(fake, busy);
  finish(fake, &a);
  finish(fake, &c);
  finish(fake, &d);
  end(&a, 200);
  end(&c, 200);
  end(&d, 200);
  begin(fake, &a, "a", 40, false);
  finish(fake, &a);
  end(&a, 200);
}

static void test_limits_change(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], a;
  fake->config.max_queue_client = 3;
  begin(fake, &a, "a", 4, false);
  finish(fake, &a);
  end(&a, 422);
  fake->config.max_queue_client = 1000; /* beyond the queue: the queue */
  fake->config.max_queue = 5;
  predictor_limits_changed(fake->predictor);
  occupy(fake, busy);
  begin(fake, &a, "a", 6, false);
  finish(fake, &a);
  end(&a, 422);
  fake->config.max_queue_atoms = 6;
  predictor_limits_changed(fake->predictor);
  struct fake_call b;
  begin(fake, &a, "a", 2, false);
  begin(fake, &b, "b", 2, false);
  finish(fake, &b);
  end(&b, 503);
  release(fake, busy);
  finish(fake, &a);
  end(&a, 200);
}

/* The bytes that requests hold. */
static size_t held(const struct fake_served *fake) {
  return predictor_ledger(fake->predictor)->used[LEDGER_REQUESTS];
}

/* Lets requests hold so many bytes. */
static void allow(struct fake_served *fake, size_t bytes) {
  fake->config.max_receiving_bytes = bytes / 4 + 1;
  predictor_limits_changed(fake->predictor);
}

/* A request for which there is no room is not refused, but read when there is; one alone may hold
 * more than all together. */
static void test_room(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], a, b, c;
  occupy(fake, busy);
  begin(fake, &a, "a", 2, false);
  assert_true(a.job->has_room);
  assert_int_equal(a.job->held_bytes, predict_job_bytes(a.job));
  assert_true(a.job->need_bytes > a.job->held_bytes);
  allow(fake, held(fake) + 1000);
  begin(fake, &b, "b", 30, false);
  assert_true(b.job->state == JOB_READ_DUE && b.job->held_bytes == 0);
  begin(fake, &c, "b", 30, false);
  predict_cancel(c.job);
  release(fake, busy);
  finish(fake, &a);
  end(&a, 200);
  finish(fake, &b);
  end(&b, 200);
  assert_int_equal(held(fake), 0);
  allow(fake, 1000);
  begin(fake, &b, "b", 30, false);
  assert_true(held(fake) > 10000);
  finish(fake, &b);
  end(&b, 200);
  assert_int_equal(ledger_total(predictor_ledger(fake->predictor)), 0);
}

/* Who has waited for as long as a request may take is told to come again. */
static void test_late(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], a, b;
  occupy(fake, busy);
  begin(fake, &a, "a", 2, false);
  allow(fake, held(fake) + 1000);
  begin(fake, &b, "b", 30, false);
  assert_int_equal(b.job->state, JOB_READ_DUE);
  fake->config.request_timeout_ms = 1;
  usleep(2000);
  predict_cancel(a.job);
  finish(fake, &b);
  assert_string_equal(get(b.json, "type")->valuestring, "urn:irrepd:queue-full");
  end(&b, 503);
  release(fake, busy);
  assert_int_equal(held(fake), 0);
}

/* What may need more than there is, whoever else ends. */
static void test_never(void **state) {
  struct fake_served *fake = *state;
  struct ledger *ledger = predictor_ledger(fake->predictor);
  struct fake_call a;
  ledger->memory = (size_t)1 << 20;
  begin(fake, &a, "a", 1000, false);
  assert_int_equal(a.job->state, JOB_READY);
  finish(fake, &a);
  assert_string_equal(get(a.json, "type")->valuestring, "urn:irrepd:too-large");
  end(&a, 422);
  assert_int_equal(ledger_total(ledger), 0);
}

/* What is as wide as the model has it takes its room once that is known, or is refused. */
static void test_descriptors_take_room(void **state) {
  struct fake_served *fake = *state;
  struct ledger *ledger = predictor_ledger(fake->predictor);
  const char *wanted = ",\"properties\":[\"energy\",\"descriptors\"]";
  struct fake_call busy[2], a, b, c;
  ledger->memory = (size_t)1 << 26;
  occupy(fake, busy);
  const size_t before = held(fake);
  begin_pairs(fake, &a, "a", 1, ",\"properties\":[\"energy\"]", false);
  const size_t without = held(fake) - before;
  fake->model->card.n_descriptors = 1000;
  begin_pairs(fake, &b, "a", 1, wanted, false);
  assert_true(held(fake) >= before + 2 * without + (size_t)2 * 1000 * (8 + 20));
  predict_cancel(b.job);
  assert_int_equal(held(fake), before + without);
  fake->model->card.n_descriptors = (size_t)1 << 26;
  begin_pairs(fake, &c, "a", 1, wanted, false);
  finish(fake, &c);
  assert_string_equal(get(c.json, "type")->valuestring, "urn:irrepd:too-large");
  assert_non_null(strstr(c.reply.body, "#/properties"));
  end(&c, 422);
  fake->model->card.n_descriptors = 0;
  release(fake, busy);
  finish(fake, &a);
  end(&a, 200);
  assert_int_equal(held(fake), 0);
}

/* Structures that are being planned have their places in the queue, and in their client's share. */
static void test_planning_counts(void **state) {
  struct fake_served *fake = *state;
  struct fake_call busy[2], a, b, c;
  allow_many(fake);
  fake->config.max_queue = 1000;
  predictor_limits_changed(fake->predictor);
  occupy(fake, busy);
  begin(fake, &a, "a", 600, false);
  assert_int_equal(a.job->state, JOB_PLANNING);
  begin(fake, &b, "a", 151, false); /* small: it is planned at once */
  finish(fake, &b);
  assert_string_equal(get(b.json, "type")->valuestring, "urn:irrepd:client-quota");
  end(&b, 429);
  begin(fake, &b, "a", 300, false);
  finish(fake, &b);
  end(&b, 429);
  begin(fake, &b, "b", 401, false);
  finish(fake, &b);
  assert_string_equal(get(b.json, "type")->valuestring, "urn:irrepd:queue-full");
  end(&b, 503);
  begin(fake, &b, "b", 800, false);
  finish(fake, &b);
  end(&b, 422);
  begin(fake, &b, "b", 800, true); /* an estimate takes no place */
  assert_int_equal(b.job->state, JOB_PLAN_DUE);
  begin(fake, &c, "b", 400, false);
  assert_int_equal(c.job->state, JOB_PLAN_DUE);
  predict_cancel(a.job);
  begin(fake, &a, "a", 600, false);
  release(fake, busy);
  finish(fake, &a);
  finish(fake, &b);
  finish(fake, &c);
  end(&a, 200);
  end(&b, 200);
  end(&c, 200);
  assert_int_equal(fake->predictor->turns.queued_structures, 0);
  assert_int_equal(fake->predictor->turns.queued_atoms, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_served, tear_down_served)
      TEST(test_share_of_a_client),
      TEST(test_limits_change),
      TEST(test_room),
      TEST(test_late),
      TEST(test_never),
      TEST(test_planning_counts),
      TEST(test_descriptors_take_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
