#include "server/jobs/job_reply.h"
#include "tests/unit/fake_job.h"

#define PROBLEM_JSON "application/problem+json"

static void expect_reply(const struct fake_job *f, int status, const char *type,
                         const char *words) {
  struct reply reply;
  job_reply_write(f->job, &reply);
  assert_int_equal(reply.status, status);
  assert_string_equal(reply.content_type, type);
  assert_non_null(reply.body);
  assert_int_equal(reply.size, strlen(reply.body));
  if (!strstr(reply.body, words))
    fail_msg("%s is not in %s", words, reply.body);
  free(reply.body);
}

static void test_reply_of_a_failure(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[" PAIR "],}");
  assert_true(predict_job_failed(f->job));
  predict_job_fail(f->job, PROBLEM_QUEUE_FULL, "later"); /* the first failure stays */
  expect_reply(f, 400, PROBLEM_JSON, "malformed-json");
}

static void test_reply_of_the_only_structure(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[{\"numbers\":[14,79],\"positions\":[[0,0,0],[1,0,0]]}]}");
  assert_false(predict_job_failed(f->job));
  expect_reply(f, 422, PROBLEM_JSON, "\"#/structures/0/numbers/1\"");
}

static void test_reply_of_several(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[" PAIR ",null]}");
  struct prediction *p = &f->job->predictions[0];
  p->answer = strdup("{\"status\":\"ok\"}");
  p->answer_size = strlen(p->answer);
  expect_reply(f, 200, "application/json",
               "\"results\":[{\"status\":\"ok\"},{\"status\":\"error\",\"error\":{");
  expect_reply(f, 200, "application/json",
               "{\"model\":\"m\",\"model_sha256\":\"00\","
               "\"request_id\":\"r\"");
}

/* The longest wait and the largest batch of a request are told. */
static void test_timing(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[" PAIR "]}");
  struct batch small = {.began_ns = 5001000, .evaluate_ns = 2000000, .sum = {2, 30, 0}};
  struct batch large = {.began_ns = 1001000, .evaluate_ns = 9000000, .sum = {3, 20, 0}};
  predict_job_time(f->job, &f->job->predictions[0], &large);
  predict_job_time(f->job, &f->job->predictions[0], &small);
  f->job->predictions[0].answer = strdup("{}");
  f->job->predictions[0].answer_size = 2;
  expect_reply(f, 200, "application/json",
               "\"timing\":{\"queue_ms\":5,\"compute_ms\":9,\"batch_structures\":3,"
               "\"batch_atoms\":20}");
}

/* Numbers go into the job's own arrays, and from there into the answer. */
static void test_reply_in_binary(void **state) {
  struct fake_job *f = *state;
  f->job->answer_format = FORMAT_SAFETENSORS;
  read_and_plan(f, "{\"structures\":[" PAIR "," PAIR "],\"properties\":[\"stress\",\"energies\"]}");
  assert_false(predict_job_failed(f->job));
  assert_ptr_equal(f->job->predictions[1].numbers, &f->job->results[1]);
  assert_non_null(f->job->results[1].forces); /* without them there is no stress */
  f->job->results[1].energies[1] = 7;
  struct reply reply;
  job_reply_write(f->job, &reply);
  assert_int_equal(reply.status, 200);
  assert_string_equal(reply.content_type, "application/x-safetensors");
  assert_non_null(reply.body);
  double last = 0; /* before the two statuses */
  memcpy(&last, reply.body + reply.size - 2 * sizeof(int32_t) - sizeof last, sizeof last);
  assert_true(last == 7);
  free(reply.body);
}

static void test_body_in_binary(void **state) {
  struct fake_job *f = *state;
  f->job->body_format = FORMAT_SAFETENSORS;
  read_and_plan(f, "{}");
  assert_true(predict_job_failed(f->job));
  expect_reply(f, 400, PROBLEM_JSON, "malformed-safetensors");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_job, tear_down_job)
      TEST(test_reply_of_a_failure), TEST(test_reply_of_the_only_structure),
      TEST(test_reply_of_several),   TEST(test_timing),
      TEST(test_reply_in_binary),    TEST(test_body_in_binary),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
