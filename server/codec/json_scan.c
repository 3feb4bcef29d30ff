#include "server/codec/json_scan.h"

#include "core/base/utf8.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scanner {
  const char *at, *end;
  const char *message, *error_at;
  size_t values_left;
  bool too_many;
  size_t n_masked;
  size_t depth;
  uint32_t objects; /* bit d-1: the container at depth d is an object */
};

static const struct {
  const char *word;
  size_t size;
  bool non_finite;
} words[] = {
    {"true", 4, false}, {"false", 5, false},   {"null", 4, false},
    {"NaN", 3, true},   {"Infinity", 8, true}, {"-Infinity", 9, true},
};

#define N_WORDS (sizeof words / sizeof *words)

static bool fail(struct scanner *s, const char *at, const char *message) {
  s->message = message;
  s->error_at = at;
  return false;
}

static void skip_blanks(struct scanner *s) {
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
    s->at++;
}

static bool next_is(const struct scanner *s, char c) {
  return s->at < s->end && *s->at == c;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Strings */

/* Passes a \uXXXX whose backslash is at s->at. */
static bool scan_unit(struct scanner *s, unsigned *unit) {
  if (s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u')
    return false;
  *unit = 0;
  for (size_t i = 2; i < 6; i++) {
    char c = s->at[i];
    char lower = (char)(c | 0x20);
    if (!is_digit(c) && (lower < 'a' || lower > 'f'))
      return false;
    *unit = *unit << 4 | (unsigned)(is_digit(c) ? c - '0' : lower - 'a' + 10);
  }
  s->at += 6;
  return true;
}

static bool scan_escape(struct scanner *s) {
  static const char names[] = {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'};
  const char *escape = s->at;
  unsigned unit, low;
  if (s->end - s->at >= 2 && s->at[1] != 'u') {
    if (!memchr(names, s->at[1], sizeof names))
      return fail(s, escape, "an unknown escape in a string");
    s->at += 2;
    return true;
  }
  if (!scan_unit(s, &unit))
    return fail(s, escape, "\\u without four hexadecimal digits");
  if (unit == 0)
    return fail(s, escape, "U+0000 in a string");
  if (unit < 0xd800 || unit > 0xdfff)
    return true;
  if (unit > 0xdbff || !scan_unit(s, &low) || low < 0xdc00 || low > 0xdfff)
    return fail(s, escape, "a surrogate without its other half in a string");
  return true;
}

static bool scan_string(struct scanner *s) {
  const char *quote = s->at++;
  while (s->at < s->end) {
    unsigned char c = (unsigned char)*s->at;
    if (c == '"') {
      s->at++;
      return true;
    }
    if (c == '\\') {
      if (!scan_escape(s))
        return false;
    } else if (c < 0x20) {
      return fail(s, s->at, "a control character in a string");
    } else {
      size_t n = utf8_sequence(s->at, s->end);
      if (n == 0)
        return fail(s, s->at, "a string that is not UTF-8");
      s->at += n;
    }
  }
  return fail(s, quote, "a string that does not end");
}

/* Scalars */

static size_t scan_digits(struct scanner *s) {
  const char *first = s->at;
  while (s->at < s->end && is_digit(*s->at))
    s->at++;
  return (size_t)(s->at - first);
}

static bool scan_number(struct scanner *s) {
  const char *first = s->at;
  s->at += *s->at == '-';
  bool zero = next_is(s, '0');
  size_t n = scan_digits(s);
  bool good = n > 0 && (!zero || n == 1);
  if (good && next_is(s, '.')) {
    s->at++;
    good = scan_digits(s) > 0;
  }
  if (good && (next_is(s, 'e') || next_is(s, 'E'))) {
    s->at++;
    if (next_is(s, '+') || next_is(s, '-'))
      s->at++;
    good = scan_digits(s) > 0;
  }
  if (!good)
    return fail(s, first, "a number that is not written as JSON writes them");
  s->n_masked += s->at - first > JSON_SCAN_NUMBER_MAX;
  return true;
}

/* The index of the word at `at`, N_WORDS when there is none. */
static size_t word_at(const char *at, const char *end) {
  size_t i = 0;
  while (i < N_WORDS &&
         ((size_t)(end - at) < words[i].size || memcmp(at, words[i].word, words[i].size) != 0))
    i++;
  return i;
}

static bool scan_scalar(struct scanner *s) {
  if (next_is(s, '"'))
    return scan_string(s);
  size_t word = word_at(s->at, s->end);
  if (word < N_WORDS) {
    s->at += words[word].size;
    s->n_masked += words[word].non_finite;
    return true;
  }
  if (next_is(s, '-') || (s->at < s->end && is_digit(*s->at)))
    return scan_number(s);
  return fail(s, s->at, "a value is due here");
}

/* Containers */

static bool in_object(const struct scanner *s) {
  return (s->objects >> (s->depth - 1) & 1) != 0;
}

static bool scan_key(struct scanner *s) {
  skip_blanks(s);
  if (!next_is(s, '"'))
    return fail(s, s->at, "a key in double quotes is due here");
  if (!scan_string(s))
    return false;
  skip_blanks(s);
  if (!next_is(s, ':'))
    return fail(s, s->at, "':' is due here");
  s->at++;
  return true;
}

/* Enters the container that begins at s->at, if one does and it is not empty. */
static bool open_container(struct scanner *s, bool *entered) {
  bool object = next_is(s, '{');
  *entered = false;
  if (!object && !next_is(s, '['))
    return scan_scalar(s);
  if (s->depth == JSON_SCAN_DEPTH_MAX)
    return fail(s, s->at, "containers nested more than 16 deep");
  s->at++;
  skip_blanks(s);
  if (next_is(s, object ? '}' : ']')) {
    s->at++;
    return true;
  }
  s->depth++;
  s->objects &= ~(UINT32_C(1) << (s->depth - 1));
  s->objects |= (uint32_t)object << (s->depth - 1);
  *entered = true;
  return !object || scan_key(s);
}

/* Behind a value: leaves what ends here, and stands where the next value is due, if one is. */
static bool close_containers(struct scanner *s) {
  while (s->depth > 0) {
    bool object = in_object(s);
    skip_blanks(s);
    if (next_is(s, ',')) {
      s->at++;
      return !object || scan_key(s);
    }
    if (!next_is(s, object ? '}' : ']'))
      return fail(s, s->at, object ? "',' or '}' is due here" : "',' or ']' is due here");
    s->at++;
    s->depth--;
  }
  return true;
}

static bool scan_value(struct scanner *s) {
  do {
    bool entered;
    skip_blanks(s);
    s->too_many = s->values_left-- == 0;
    if (s->too_many)
      return fail(s, s->at, "more values than a request of this size may have");
    if (!open_container(s, &entered))
      return false;
    if (!entered && !close_containers(s))
      return false;
  } while (s->depth > 0);
  skip_blanks(s);
  return s->at == s->end || fail(s, s->at, "text behind the end of the value");
}

bool json_scan(const char *text, size_t size, size_t max_values, struct json_scan *scan) {
  if (size == 0)
    text = "";
  struct scanner s = {.at = text, .end = text + size, .values_left = max_values};
  bool good = scan_value(&s);
  *scan = (struct json_scan){.message = s.message,
                             .position = good ? 0 : (size_t)(s.error_at - text),
                             .too_many = s.too_many,
                             .n_masked = s.n_masked};
  return good;
}

static void put_unacceptable(char *text) {
  memcpy(text, "9e9", 3);
}

/* Rewrites the number of n bytes at `text`, if it is too long. */
static void mask_number(char *text, size_t n) {
  char shorter[32];
  if (n <= JSON_SCAN_NUMBER_MAX)
    return;
  const double number = strtod(text, NULL);
  memset(text, ' ', n);
  if (isfinite(number))
    memcpy(text, shorter, (size_t)snprintf(shorter, sizeof shorter, "%.17g", number));
  else
    put_unacceptable(text);
}

void json_scan_mask(char *text, size_t size) {
  const char *end = text + size;
  bool in_string = false;
  for (char *at = text; at < end; at++) {
    if (in_string && *at == '\\') {
      at++;
    } else if (*at == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      const size_t word = word_at(at, end), n = strspn(at, "+-.0123456789Ee");
      if (word < N_WORDS && words[word].non_finite) {
        memset(at, ' ', words[word].size);
        put_unacceptable(at);
      } else if (n > 0) {
        mask_number(at, n);
        at += n - 1;
      }
    }
  }
}
