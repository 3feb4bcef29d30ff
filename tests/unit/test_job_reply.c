#include "server/base/pieces.h"
#include "server/jobs/job_reply.h"
#include "tests/unit/fake_job.h"
#include "tests/unit/plans.h"

#define PROBLEM_JSON "application/problem+json"

static void expect_reply(struct fake_job *f, int status, const char *type, const char *words) {
  struct reply reply;
  job_reply_write(f->job, &reply);
  assert_int_equal(reply.status, status);
  assert_string_equal(reply.content_type, type);
  assert_non_null(reply.body);
  assert_int_equal(reply.size, strlen(reply.body));
  assert_int_equal(reply.body[reply.size - 1], '\n');
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

/* What a batch has written of a structure. */
static void put_element(struct fake_job *f, struct prediction *p, const struct batch *batch,
                        const char *element) {
  predict_job_give_text(f->job, p, batch);
  assert_non_null(p->answer);
  p->answer_at = p->answer->text.size;
  text_puts(&p->answer->text, element);
  p->answer_size = p->answer->text.size - p->answer_at;
}

static void test_reply_of_several(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[" PAIR ",null," PAIR "]}");
  const struct batch batches[2] = {0};
  put_element(f, &f->job->predictions[2], &batches[0], ",{\"status\":\"ok\",\"n\":2}");
  put_element(f, &f->job->predictions[0], &batches[1], ",{\"status\":\"ok\",\"n\":0}");
  struct reply reply;
  job_reply_write(f->job, &reply);
  assert_int_equal(reply.status, 200);
  assert_string_equal(reply.content_type, "application/json");
  assert_null(reply.pieces);
  const char *head = "{\"model\":\"m\",\"model_sha256\":\"00\",\"request_id\":\"r\"";
  assert_memory_equal(reply.body, head, strlen(head));
  const char *first = "\"results\":[{\"status\":\"ok\",\"n\":0},{\"status\":\"error\",\"error\":{";
  assert_non_null(strstr(reply.body, first));
  assert_non_null(strstr(reply.body, "}},{\"status\":\"ok\",\"n\":2}],\"timing\":{"));
  assert_int_equal(reply.size, strlen(reply.body));
  assert_int_equal(reply.body[reply.size - 1], '\n');
  free(reply.body);
}

/* The first of all is a problem: a comma stands between elements only. */
static void test_reply_that_begins_with_a_problem(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[null," PAIR "]}");
  const struct batch batch = {0};
  put_element(f, &f->job->predictions[1], &batch, ",{\"status\":\"ok\"}");
  expect_reply(f, 200, "application/json", "\"results\":[{\"status\":\"error\",\"error\":{");
}

/* A long answer is not copied: it is sent from the texts of its batches, what lies together as one
 * piece. */
static void test_long_reply(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[" PAIR "," PAIR ",null," PAIR "]}");
  const struct batch batches[2] = {0};
  enum { LONG = 100000 };
  char *element = malloc(LONG + 1);
  assert_non_null(element);
  memset(element, 'x', LONG);
  element[0] = ',';
  element[LONG] = '\0';
  put_element(f, &f->job->predictions[0], &batches[0], element);
  put_element(f, &f->job->predictions[1], &batches[0], element);
  put_element(f, &f->job->predictions[3], &batches[1], ",{}");
  const char *text = f->job->predictions[0].answer->text.bytes;
  struct reply reply;
  job_reply_write(f->job, &reply);
  assert_null(reply.body);
  assert_non_null(reply.pieces);
  assert_int_equal(reply.size, reply.pieces->size);
  assert_int_equal(reply.pieces->n_items, 5); /* head, two elements, problem, element, end */
  assert_ptr_equal(reply.pieces->items[1].bytes, text + 1);
  assert_int_equal(reply.pieces->items[1].size, 2 * LONG - 1);
  predict_job_free(f->job); /* the texts are those of the reply */
  f->job = predict_job_new("r");
  char *joined = pieces_join(reply.pieces);
  assert_int_equal(strlen(joined), reply.size);
  assert_non_null(strstr(joined, "xxx,{\"status\":\"error\""));
  assert_non_null(strstr(joined, "},{}],\"timing\":{"));
  free(joined);
  free(element);
  pieces_free(reply.pieces);
}

/* The longest wait and the largest batch of a request are told. */
static void test_timing(void **state) {
  struct fake_job *f = *state;
  read_and_plan(f, "{\"structures\":[" PAIR "]}");
  struct batch small = {.began_ns = 5001000, .evaluate_ns = 2000000, .sum = PLAN(2, 30, 0)};
  struct batch large = {.began_ns = 1001000, .evaluate_ns = 9000000, .sum = PLAN(3, 20, 0)};
  predict_job_time(f->job, &f->job->predictions[0], &large);
  predict_job_time(f->job, &f->job->predictions[0], &small);
  put_element(f, &f->job->predictions[0], &large, ",{}");
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
      TEST(test_reply_of_several),   TEST(test_reply_that_begins_with_a_problem),
      TEST(test_long_reply),         TEST(test_timing),
      TEST(test_reply_in_binary),    TEST(test_body_in_binary),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
