/* Error bodies: application/problem+json (RFC 9457) with errors[].pointer and retryable. */
#ifndef SERVER_BASE_PROBLEM_H
#define SERVER_BASE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

struct problem {
  int status;    /* HTTP */
  char type[64]; /* "urn:irrepd:unknown-element": stable, one for each kind */
  char title[96];
  char detail[320];
  char pointer[128]; /* "#/structures/0/numbers/3", or "" */
  bool retryable;
  int retry_after_s; /* Retry-After header; 0: none */
};

/* Fills a problem. kind becomes type "urn:irrepd:KIND"; detail is printf-formatted. Returns the
 * problem. */
struct problem *problem_set(struct problem *problem, int status, const char *kind,
                            const char *title, const char *pointer, const char *detail, ...)
    __attribute__((format(printf, 6, 7)));

/* The JSON text, malloc'ed and NUL-terminated; NULL without memory. names_error: the detail is also
 * the member error, where clients of the Open Inference Protocol look for it. */
char *problem_render(const struct problem *problem, bool names_error, size_t *size);

#endif
