/* What is refused before routes see it, and the words for it. Without sockets; thread-safe. */
#ifndef SERVER_HTTP_HTTP_JUDGE_H
#define SERVER_HTTP_HTTP_JUDGE_H

#include "server/base/problem.h"
#include "server/http/http_text.h"

#include <stddef.h>
#include <stdint.h>

#define HTTP_PATH_SIZE 1024

/* Bytes of request line and header fields; beyond: 431. */
#define HTTP_HEADERS_MAX 16384

/* What is known of a request before its body, its head being in order (wire.h). */
struct http_facts {
  const char *target; /* of the request line, without the query */
  struct http_framing framing;
};

/* Decodes the path into path [HTTP_PATH_SIZE] and returns NULL, or fills problem and returns the
 * reason for metrics_http_rejected: "path" or "body". */
const char *http_judge(const struct http_facts *facts, size_t max_body_bytes, char *path,
                       struct problem *problem);

/* The head is not plain HTTP; words say what of it. */
void http_problem_malformed(struct problem *problem, const char *words);

/* The head has too many bytes or fields. */
void http_problem_headers(struct problem *problem);

/* The body exceeds max_body_bytes, as found while receiving. */
void http_problem_body(struct problem *problem, size_t max_body_bytes);

/* All bodies together take so many bytes, and the next has waited in line for too long. */
void http_problem_bodies(struct problem *problem, size_t most);

/* The request has not arrived in time. */
void http_problem_late(struct problem *problem, uint64_t timeout_ms);

/* Whether a path is of the Open Inference Protocol, for problem_render. */
bool http_names_error(const char *path);

/* Writes a whole HTTP/1.1 answer to a request for path that closes the connection into text [size];
 * returns its length, 0 when it does not fit or memory ran out. origin: whose pages may read it, as
 * http_response_share lets them; NULL: nobody's. */
size_t http_format_problem(char *text, size_t size, const struct problem *problem, const char *path,
                           const char *request_id, const char *origin);

#endif
