/* Reads tests/reference/fixtures/e3nn.txt (format: tests/reference/e3nn_fixtures.py). Include it
 * last: it includes cmocka.h. What is missing or malformed fails the running test. */
#ifndef TESTS_UNIT_E3NN_FIXTURE_H
#define TESTS_UNIT_E3NN_FIXTURE_H

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define FIXTURE_BYTES_MAX ((size_t)1 << 20)

struct fixture {
  char *text;     /* NUL-terminated, owned */
  const char *at; /* the next field */
};

static inline struct fixture fixture_open(void) {
  const char *folder = getenv("IRREP_FIXTURES");
  char path[512];
  int length =
      snprintf(path, sizeof path, "%s/e3nn.txt", !folder ? "tests/reference/fixtures" : folder);
  assert_true(length > 0 && (size_t)length < sizeof path);
  FILE *file = fopen(path, "rb");
  if (!file) {
    fail_msg("cannot open %s (run from the project root or set IRREP_FIXTURES)", path);
  }
  char *text = malloc(FIXTURE_BYTES_MAX + 1);
  assert_non_null(text);
  size_t size = fread(text, 1, FIXTURE_BYTES_MAX + 1, file);
  assert_false(ferror(file));
  (void)fclose(file);
  assert_true(size <= FIXTURE_BYTES_MAX);
  text[size] = '\0';
  return (struct fixture){.text = text, .at = text};
}

static inline void fixture_close(struct fixture *fixture) {
  free(fixture->text);
  *fixture = (struct fixture){0};
}

/* Goes to the first field of the next record of a kind; false when there is none. */
static inline bool fixture_next(struct fixture *fixture, const char *kind) {
  size_t length = strlen(kind);
  while (*fixture->at != '\0') {
    const char *line = fixture->at;
    const char *end = strchr(line, '\n');
    fixture->at = end ? end + 1 : line + strlen(line);
    if (strncmp(line, kind, length) == 0 && line[length] == ' ') {
      fixture->at = line + length;
      return true;
    }
  }
  return false;
}

static inline int fixture_int(struct fixture *fixture, int min, int max) {
  char *end;
  errno = 0;
  long value = strtol(fixture->at, &end, 10);
  assert_true(end != fixture->at && errno == 0);
  assert_true(value >= min && value <= max);
  fixture->at = end;
  return (int)value;
}

static inline void fixture_reals(struct fixture *fixture, size_t n, double *values) {
  for (size_t i = 0; i < n; i++) {
    char *end;
    values[i] = strtod(fixture->at, &end);
    assert_true(end != fixture->at && isfinite(values[i]));
    fixture->at = end;
  }
}

/* Reads a quoted text. */
static inline void fixture_text(struct fixture *fixture, size_t size, char *text) {
  const char *begin = fixture->at + strspn(fixture->at, " ");
  assert_int_equal(*begin, '"');
  const char *end = strchr(++begin, '"');
  assert_non_null(end);
  size_t length = (size_t)(end - begin);
  assert_true(length < size);
  memcpy(text, begin, length);
  text[length] = '\0';
  fixture->at = end + 1;
}

/* Fails unless |actual - expected| <= tolerance * (1 + |expected|); NaN fails. */
static inline void assert_close(const double *actual, const double *expected, size_t n,
                                double tolerance) {
  for (size_t i = 0; i < n; i++) {
    if (!(fabs(actual[i] - expected[i]) <= tolerance * (1.0 + fabs(expected[i])))) {
      fail_msg("element %zu is %.17g, expected %.17g", i, actual[i], expected[i]);
    }
  }
}

#endif
