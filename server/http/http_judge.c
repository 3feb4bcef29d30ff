#include "server/http/http_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *http_judge(const struct http_facts *facts, size_t max_body_bytes, char *path,
                       struct problem *problem) {
  if (!http_path_decode(facts->target, path, HTTP_PATH_SIZE)) {
    problem_set(problem, 400, "malformed-path", "malformed path", "",
                "The path takes visible ASCII, well-formed escapes other than those of slashes and "
                "control characters, and %d bytes at most.",
                HTTP_PATH_SIZE - 1);
    return "path";
  }
  if (facts->framing.content_length > max_body_bytes) {
    problem_set(problem, 413, "body-too-large", "body too large", "",
                "The body has %llu bytes, the limit is %zu (--max-body-bytes).",
                (unsigned long long)facts->framing.content_length, max_body_bytes);
    return "body";
  }
  return NULL;
}

void http_problem_malformed(struct problem *problem, const char *words) {
  problem_set(problem, 400, "malformed-request", "malformed request", "",
              "The request is refused: %s.", words);
}

void http_problem_headers(struct problem *problem) {
  problem_set(problem, 431, "headers-too-large", "header fields too large", "",
              "A request takes %d bytes and %d header fields at most.", HTTP_HEADERS_MAX,
              HTTP_FIELDS_MAX);
}

void http_problem_body(struct problem *problem, size_t max_body_bytes) {
  problem_set(problem, 413, "body-too-large", "body too large", "",
              "The body has more than %zu bytes (--max-body-bytes).", max_body_bytes);
}

void http_problem_bodies(struct problem *problem, size_t most) {
  problem_set(problem, 503, "too-many-bodies", "too many bodies under way", "",
              "Bodies that arrive or wait to be read take all of the %zu bytes that they may take "
              "together (--max-receiving-bytes).",
              most);
}

void http_problem_late(struct problem *problem, uint64_t timeout_ms) {
  problem_set(problem, 408, "request-timeout", "request too slow", "",
              "The request has not arrived within %llu ms (--request-timeout-ms).",
              (unsigned long long)timeout_ms);
}

static const char *reason_phrase(int status) {
  switch (status) {
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 408:
    return "Request Timeout";
  case 413:
    return "Content Too Large";
  case 414:
    return "URI Too Long";
  case 421:
    return "Misdirected Request";
  case 431:
    return "Request Header Fields Too Large";
  case 503:
    return "Service Unavailable";
  case 505:
    return "HTTP Version Not Supported";
  default:
    return "Error";
  }
}

bool http_names_error(const char *path) {
  return strncmp(path, "/v2", 3) == 0;
}

size_t http_format_problem(char *text, size_t size, const struct problem *problem, const char *path,
                           const char *request_id, const char *origin) {
  char retry[32] = "";
  size_t body_size = 0;
  char *body = problem_render(problem, http_names_error(path), &body_size);
  if (!body)
    return 0;
  if (problem->retry_after_s > 0)
    snprintf(retry, sizeof retry, "Retry-After: %d\r\n", problem->retry_after_s);
  const int n =
      snprintf(text, size,
               "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"
               "Content-Length: %zu\r\nX-Request-Id: %s\r\n%s%s%s%s%sConnection: close\r\n\r\n%s",
               problem->status, reason_phrase(problem->status), body_size, request_id, retry,
               problem->status == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
               origin ? "Access-Control-Allow-Origin: " : "", origin ? origin : "",
               origin ? "\r\nVary: Origin\r\n" : "", body);
  free(body);
  return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
