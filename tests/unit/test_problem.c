#include "server/base/problem.h"
#include "server/base/problem_kinds.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static void expect_body(const struct problem *problem, const char *wanted) {
  size_t size = 0;
  char *body = problem_render(problem, false, &size);
  assert_non_null(body);
  assert_string_equal(body, wanted);
  assert_int_equal(size, strlen(wanted));
  free(body);
}

static void test_body(void **state) {
  (void)state;
  struct problem p;
  assert_ptr_equal(problem_set(&p, 422, "unknown-element", "element not known",
                               "#/structures/0/numbers/3", "atom %d is of element %s", 3, "Og"),
                   &p);
  expect_body(&p, "{\"type\":\"urn:irrepd:unknown-element\",\"title\":\"element not known\","
                  "\"status\":422,\"detail\":\"atom 3 is of element Og\","
                  "\"errors\":[{\"pointer\":\"#/structures/0/numbers/3\"}],\"retryable\":false}\n");
  problem_set(&p, 503, "queue-full", "queue is full", "", "try later");
  assert_int_equal(p.retry_after_s, 1);
  expect_body(&p, "{\"type\":\"urn:irrepd:queue-full\",\"title\":\"queue is full\",\"status\":503,"
                  "\"detail\":\"try later\",\"errors\":[],\"retryable\":true}\n");
}

static void test_retryable_by_status(void **state) {
  (void)state;
  static const struct {
    int status;
    bool retryable, retry_after;
  } rows[] = {{400, false, false}, {404, false, false}, {408, true, false},
              {413, false, false}, {422, false, false}, {429, true, true},
              {500, false, false}, {503, true, true},   {504, true, false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct problem p;
    problem_set(&p, rows[i].status, "k", "t", "", "d");
    assert_int_equal(p.retryable, rows[i].retryable);
    assert_int_equal(p.retry_after_s > 0, rows[i].retry_after);
  }
}

/* Clients of the Open Inference Protocol look for a member error. */
static void test_named_errors(void **state) {
  (void)state;
  struct problem p;
  problem_set(&p, 404, "k", "t", "", "no \"m\"");
  size_t size = 0;
  char *body = problem_render(&p, true, &size);
  assert_string_equal(body, "{\"type\":\"urn:irrepd:k\",\"title\":\"t\",\"status\":404,"
                            "\"detail\":\"no \\\"m\\\"\",\"errors\":[],\"retryable\":false,"
                            "\"error\":\"no \\\"m\\\"\"}\n");
  assert_int_equal(strlen(body), size);
  free(body);
}

/* Whatever is put into them, texts are cut to their size and the body is JSON. */
static void test_hostile_texts(void **state) {
  (void)state;
  char longer[1000];
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  struct problem p;
  problem_set(&p, 400, longer, longer, longer, "%s\xc3\xa9", longer);
  char *body = problem_render(&p, false, NULL);
  cJSON *json = cJSON_Parse(body);
  assert_non_null(json);
  assert_int_equal(strlen(cJSON_GetObjectItemCaseSensitive(json, "detail")->valuestring),
                   sizeof p.detail - 1);
  cJSON_Delete(json);
  free(body);
  problem_set(&p, 400, "k", "\"\\\n", "", "%s", "\xff\x01");
  expect_body(&p, "{\"type\":\"urn:irrepd:k\",\"title\":\"\\\"\\\\\\n\",\"status\":400,"
                  "\"detail\":\"\xef\xbf\xbd\\u0001\",\"errors\":[],\"retryable\":false}\n");
}

static void test_kinds(void **state) {
  (void)state;
  struct problem p;
  problem_of_kind(&p, PROBLEM_UNKNOWN_KEY, "#/x", "no key %s", "x");
  assert_int_equal(p.status, 400);
  assert_string_equal(p.type, "urn:irrepd:unknown-key");
  assert_string_equal(p.title, "unknown key");
  assert_string_equal(p.detail, "no key x");
  assert_string_equal(p.pointer, "#/x");
  problem_of_kind(&p, PROBLEM_DEADLINE_PASSED, "", "late");
  assert_int_equal(p.status, 504);
  assert_true(p.retryable);
}

static void test_core_errors(void **state) {
  (void)state;
  struct irrep_error error;
  struct problem p;
  irrep_fail(&error, IRREP_UNKNOWN_ELEMENT, "numbers/3", "the model has no %s", "Og");
  problem_of_error(&p, &error, "#/structures/7");
  assert_int_equal(p.status, 422);
  assert_string_equal(p.type, "urn:irrepd:unknown-element");
  assert_string_equal(p.pointer, "#/structures/7/numbers/3");
  assert_string_equal(p.detail, "the model has no Og");
  irrep_fail(&error, IRREP_NO_ATOMS, "", "empty");
  problem_of_error(&p, &error, "#/structures/7");
  assert_string_equal(p.pointer, "#/structures/7");
}

/* What a client does next depends on the class: mend the structure, try again, or tell somebody. */
static void test_http_status_of_core_errors(void **state) {
  (void)state;
  static const struct {
    enum irrep_status status;
    int http;
  } rows[] = {
      {IRREP_NO_MEMORY, 503},         {IRREP_BAD_ARGUMENT, 400},     {IRREP_NO_ATOMS, 422},
      {IRREP_NOT_FINITE, 422},        {IRREP_UNKNOWN_ELEMENT, 422},  {IRREP_SINGULAR_CELL, 422},
      {IRREP_ATOMS_OVERLAP, 422},     {IRREP_TOO_LARGE, 422},        {IRREP_BAD_MODEL_FILE, 500},
      {IRREP_UNSUPPORTED_MODEL, 500}, {IRREP_CANCELLED, 503},        {IRREP_RESULT_NOT_FINITE, 422},
      {IRREP_DIVERGED, 422},          {(enum irrep_status)1000, 500}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct irrep_error error;
    struct problem p;
    irrep_fail(&error, rows[i].status, "", "why");
    problem_of_error(&p, &error, "");
    assert_int_equal(p.status, rows[i].http);
    assert_string_equal(p.title, irrep_status_message(rows[i].status));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_body),
      cmocka_unit_test(test_retryable_by_status),
      cmocka_unit_test(test_named_errors),
      cmocka_unit_test(test_hostile_texts),
      cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_core_errors),
      cmocka_unit_test(test_http_status_of_core_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
