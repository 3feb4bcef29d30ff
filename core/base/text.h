/* A growing buffer of text: what answers, error bodies, metrics and log lines are written into. */
#ifndef CORE_BASE_TEXT_H
#define CORE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised it is empty, and grows on the heap. A write that does not fit, or a failed
 * allocation, writes nothing and sets `failed`, which sticks: later writes do nothing. Not shared
 * between threads. */
struct text {
  char *bytes; /* [size], not NUL-terminated */
  size_t size, capacity;
  bool failed;
  bool is_fixed; /* bytes are the caller's, and do not grow */
};

/* An empty text in the caller's memory, which text_fini leaves alone. */
struct text text_over(char *bytes, size_t capacity);

void text_fini(struct text *text);

/* Hands the text over as a malloc'ed, NUL-terminated string of *size bytes (size may be NULL) and
 * leaves it empty; NULL when memory ran out. Not of a fixed text. */
char *text_take(struct text *text, size_t *size);

/* Room for n more bytes, which the caller writes and adds to size; NULL when there is none. */
char *text_room(struct text *text, size_t n);

void text_add(struct text *text, const char *bytes, size_t n);
void text_puts(struct text *text, const char *string);
void text_put_size(struct text *text, size_t number);

/* Characters that a number takes at most. */
#define TEXT_DOUBLE_MAX 24

/* Writes the shortest decimal that reads back to the same double (shortest.h), integers below 1e15
 * without exponent; "null" when it is not finite. Returns how many characters. Thread-safe. */
size_t text_double(char out[TEXT_DOUBLE_MAX], double number);

void text_put_double(struct text *text, double number);

#endif
