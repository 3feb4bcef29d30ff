#include "server/jobs/predict_job.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

struct fixture {
  struct served_model served;
  struct loaded_model loaded;
  struct compute compute;
  struct predict_job *job;
};

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f)
    return -1;
  *state = f;
  f->served = (struct served_model){.name = "m"};
  f->compute = (struct compute){.evaluator = &fake_evaluator};
  f->loaded = (struct loaded_model){.served = &f->served, .model = fake_model(), .sha256 = "00"};
  f->job = predict_job_new("r");
  if (!f->loaded.model || !f->job)
    return -1;
  f->job->served = &f->served;
  f->job->loaded = &f->loaded;
  f->job->compute = &f->compute;
  f->job->limits = (struct codec_limits){.max_structures = 4, .max_atoms = 8};
  f->job->begun_ns = 1000;
  for (size_t i = 0; i < 2; i++)
    f->job->bounds[i] = (struct bounds){.max_edges = 1000, .max_bytes = 1000000};
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  predict_job_free(f->job);
  fake_free(f->loaded.model);
  free(f);
  return 0;
}

static void read_and_plan(struct fixture *f, const char *body) {
  predict_job_read(f->job, body, strlen(body));
  if (!f->job->failed)
    assert_true(predict_job_plan(f->job, SIZE_MAX));
}

static void expect_reply(const struct fixture *f, int status, const char *type, const char *words) {
  struct reply reply;
  predict_job_reply(f->job, &reply);
  assert_int_equal(reply.status, status);
  assert_string_equal(reply.content_type, type);
  assert_non_null(reply.body);
  assert_int_equal(reply.size, strlen(reply.body));
  if (!strstr(reply.body, words))
    fail_msg("%s is not in %s", words, reply.body);
  free(reply.body);
}

#define PAIR "{\"numbers\":[14,1],\"positions\":[[0,0,0],[1,0,0]]}"
#define PROBLEM_JSON "application/problem+json"

static void test_predictions(void **state) {
  struct fixture *f = *state;
  read_and_plan(f, "{\"structures\":[{\"id\":\"a\",\"numbers\":[14],\"positions\":[[0,0,0]]}," PAIR
                   "],\"properties\":[\"stress\"],\"deadline_ms\":1.5,\"priority\":\"bulk\"}");
  assert_false(f->job->failed);
  assert_int_equal(f->job->precision, IRREP_FLOAT32);
  assert_int_equal(predict_job_atoms(f->job), 3);
  const struct prediction *first = &f->job->predictions[0], *second = first + 1;
  assert_string_equal(first->id, "a");
  assert_null(second->id);
  assert_int_equal(second->properties, PROPERTY(STRESS));
  assert_int_equal(second->entry.plan.n_edges, 2);
  assert_int_equal(second->entry.structure->n_atoms, 2);
  assert_int_equal(second->entry.priority, PRIORITY_BULK);
  assert_int_equal(second->entry.arrived_ns, 1000);
  assert_int_equal(second->entry.deadline_ns, 1501000);
  assert_ptr_equal(second->entry.owner, second);
  assert_ptr_equal(second->job, f->job);
}

static void test_precision_and_no_deadline(void **state) {
  struct fixture *f = *state;
  read_and_plan(f, "{\"structures\":[" PAIR "],\"precision\":\"float64\"}");
  assert_int_equal(f->job->precision, IRREP_FLOAT64);
  assert_true(f->job->predictions[0].entry.deadline_ns == SCHEDULER_NEVER);
}

static void test_reply_of_a_failure(void **state) {
  struct fixture *f = *state;
  read_and_plan(f, "{\"structures\":[" PAIR "],}");
  assert_true(f->job->failed);
  predict_job_fail(f->job, PROBLEM_QUEUE_FULL, "later"); /* the first failure stays */
  expect_reply(f, 400, PROBLEM_JSON, "malformed-json");
}

static void test_reply_of_the_only_structure(void **state) {
  struct fixture *f = *state;
  read_and_plan(f, "{\"structures\":[{\"numbers\":[14,79],\"positions\":[[0,0,0],[1,0,0]]}]}");
  assert_false(f->job->failed);
  expect_reply(f, 422, PROBLEM_JSON, "\"#/structures/0/numbers/1\"");
}

static void test_reply_of_several(void **state) {
  struct fixture *f = *state;
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
  struct fixture *f = *state;
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
  struct fixture *f = *state;
  f->job->answer_format = FORMAT_SAFETENSORS;
  read_and_plan(f, "{\"structures\":[" PAIR "," PAIR "],\"properties\":[\"stress\",\"energies\"]}");
  assert_false(f->job->failed);
  assert_ptr_equal(f->job->predictions[1].numbers, &f->job->results[1]);
  assert_non_null(f->job->results[1].forces); /* without them there is no stress */
  f->job->results[1].energies[1] = 7;
  struct reply reply;
  predict_job_reply(f->job, &reply);
  assert_int_equal(reply.status, 200);
  assert_string_equal(reply.content_type, "application/x-safetensors");
  assert_non_null(reply.body);
  double last = 0; /* before the two statuses */
  memcpy(&last, reply.body + reply.size - 2 * sizeof(int32_t) - sizeof last, sizeof last);
  assert_true(last == 7);
  free(reply.body);
}

static void test_body_in_binary(void **state) {
  struct fixture *f = *state;
  f->job->body_format = FORMAT_SAFETENSORS;
  read_and_plan(f, "{}");
  assert_true(f->job->failed);
  expect_reply(f, 400, PROBLEM_JSON, "malformed-safetensors");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_predictions),        TEST(test_precision_and_no_deadline),
      TEST(test_reply_of_a_failure), TEST(test_reply_of_the_only_structure),
      TEST(test_reply_of_several),   TEST(test_timing),
      TEST(test_reply_in_binary),    TEST(test_body_in_binary),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
