/* Texts for tests of the JSON reader. Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_JSON_H
#define TESTS_UNIT_SUPPORT_JSON_H

#include "core/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* Each text is read from a block of its exact size, so that the sanitizers see a read beyond. */
struct text {
  char *bytes;
  struct json_reader r;
};

static struct text open_bytes(const char *bytes, size_t size) {
  struct text t = {.bytes = malloc(size ? size : 1)};
  assert_non_null(t.bytes);
  memcpy(t.bytes, bytes, size);
  t.r = json_reader_over(t.bytes, size);
  return t;
}

static struct text open_text(const char *text) {
  return open_bytes(text, strlen(text));
}

static void close_text(struct text *t) {
  free(t->bytes);
}

static void assert_error(const struct json_reader *r, const char *message, size_t position) {
  assert_non_null(r->message);
  assert_string_equal(r->message, message);
  assert_int_equal(r->position, position);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

#endif
