/* The body of a request while it arrives: bounded for itself, and by a budget that all share. Used
 * on the loop thread. */
#ifndef SERVER_HTTP_HTTP_BODY_H
#define SERVER_HTTP_HTTP_BODY_H

#include "server/base/problem.h"

#include <stddef.h>

struct http_budget {
  size_t max_body_bytes;      /* of one body */
  size_t max_receiving_bytes; /* of all, and of the answers that have not left: those are never
                                 refused, but bodies are as long as they take the room */
  size_t used;                /* memory held by all that */
};

/* Zero-initialised it is empty. */
struct http_body {
  char *bytes; /* [size], NULL while empty */
  size_t size, capacity;
};

/* Appends bytes [size]. expected: the length that was announced, SIZE_MAX when none was. Returns
 * NULL, or fills problem and returns the reason for metrics_http_rejected: "body" or "memory". */
const char *http_body_append(struct http_body *body, struct http_budget *budget, size_t expected,
                             const char *bytes, size_t size, struct problem *problem);

/* Gives memory beyond the size back to the budget, as far as the system takes it. */
void http_body_trim(struct http_body *body, struct http_budget *budget);

/* Frees the bytes and gives them back to the budget; the body is empty then. */
void http_body_drop(struct http_body *body, struct http_budget *budget);

#endif
