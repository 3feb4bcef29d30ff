/* A growing buffer of text: what answers, error bodies and metrics are written into. */
#ifndef SERVER_BASE_TEXT_H
#define SERVER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised it is empty. A failed allocation sets `failed`, which sticks: later writes do
 * nothing. Not shared between threads. */
struct text {
  char *bytes; /* [size], not NUL-terminated */
  size_t size, capacity;
  bool failed;
};

void text_fini(struct text *text);

/* Hands the text over as a malloc'ed, NUL-terminated string of *size bytes (size may be NULL) and
 * leaves it empty; NULL when memory ran out. */
char *text_take(struct text *text, size_t *size);

/* Makes room for n bytes more, so that they are written without the text being moved. */
void text_reserve(struct text *text, size_t n);

void text_add(struct text *text, const char *bytes, size_t n);
void text_puts(struct text *text, const char *string);
void text_put_size(struct text *text, size_t number);

/* The shortest decimal that reads back to the same double (shortest.h), integers without exponent;
 * "null" when it is not finite. */
void text_put_double(struct text *text, double number);

/* A JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void text_put_json(struct text *text, const char *string);

#endif
