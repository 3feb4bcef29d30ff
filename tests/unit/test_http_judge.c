#include "server/http/http_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

static struct http_facts good(void) {
  struct http_facts facts = {.target = "/v1/models"};
  http_framing_field(&facts.framing, "Host", "x");
  return facts;
}

static void expect(const struct http_facts *facts, const char *reason, int status) {
  char path[HTTP_PATH_SIZE];
  struct problem problem;
  const char *given = http_judge(facts, 1000, path, &problem);
  assert_non_null(given);
  assert_string_equal(given, reason);
  assert_int_equal(problem.status, status);
  assert_true(problem.detail[0] != '\0');
}

static void test_good(void **state) {
  (void)state;
  char path[HTTP_PATH_SIZE];
  struct problem problem;
  struct http_facts facts = good();
  assert_null(http_judge(&facts, 1000, path, &problem));
  assert_string_equal(path, "/v1/models");
  http_framing_field(&facts.framing, "Content-Length", "1000");
  assert_null(http_judge(&facts, 1000, path, &problem));
}

static void test_refused(void **state) {
  (void)state;
  struct http_facts facts = good();
  facts.target = "/%00";
  expect(&facts, "path", 400);
  facts = good();
  http_framing_field(&facts.framing, "Content-Length", "1001");
  expect(&facts, "body", 413);
}

static void test_problems(void **state) {
  (void)state;
  struct problem problem;
  http_problem_malformed(&problem, "the line is odd");
  assert_int_equal(problem.status, 400);
  assert_non_null(strstr(problem.detail, "the line is odd"));
  http_problem_headers(&problem);
  assert_int_equal(problem.status, 431);
  http_problem_body(&problem, 77);
  assert_int_equal(problem.status, 413);
  assert_non_null(strstr(problem.detail, "77"));
  assert_false(problem.retryable);
  http_problem_bodies(&problem, 78);
  assert_int_equal(problem.status, 503);
  assert_true(problem.retryable && problem.retry_after_s > 0);
  http_problem_late(&problem, 79);
  assert_int_equal(problem.status, 408);
  assert_non_null(strstr(problem.detail, "79"));
}

static void test_format(void **state) {
  (void)state;
  char text[2048];
  struct problem problem;
  static const int statuses[] = {400, 401, 403, 408, 413, 414, 421, 431, 503, 505, 418};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    problem_set(&problem, statuses[i], "some-kind", "some title", "", "some detail");
    const size_t size = http_format_problem(text, sizeof text, &problem, "/", "id-1", NULL);
    assert_int_equal(size, strlen(text));
    int status = 0;
    size_t length = 0;
    assert_int_equal(sscanf(text, "HTTP/1.1 %d ", &status), 1);
    assert_int_equal(status, statuses[i]);
    const char *body = strstr(text, "\r\n\r\n");
    const char *field = strstr(text, "Content-Length: ");
    assert_non_null(body);
    assert_non_null(field);
    assert_int_equal(sscanf(field, "Content-Length: %zu", &length), 1);
    assert_int_equal(strlen(body + 4), length);
    assert_non_null(strstr(text, "\r\nX-Request-Id: id-1\r\n"));
    assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
    assert_int_equal(strstr(text, "\r\nRetry-After: ") != NULL, statuses[i] == 503);
    assert_int_equal(strstr(text, "\r\nWWW-Authenticate: Bearer\r\n") != NULL, statuses[i] == 401);
    assert_null(strstr(text, "Origin"));
    assert_int_equal(http_format_problem(text, size, &problem, "/", "id-1", NULL), 0);
    assert_true(http_format_problem(text, sizeof text, &problem, "/", "id-1", "http://a") > size);
    assert_non_null(strstr(text, "\r\nAccess-Control-Allow-Origin: http://a\r\nVary: Origin\r\n"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_problems),
      cmocka_unit_test(test_format),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
