#include "server/base/text.h"

#include "core/base/utf8.h"
#include "server/base/shortest.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Digits of any size_t. */
#define DIGITS_MAX 20

/* Below this every integral double has at most 15 digits. */
#define INTEGER_MAX 1e15

void text_fini(struct text *text) {
  free(text->bytes);
  *text = (struct text){0};
}

char *text_take(struct text *text, size_t *size) {
  size_t n = text->size;
  text_add(text, "", 1);
  char *bytes = text->failed ? NULL : text->bytes;
  if (bytes) {
    *text = (struct text){0};
    if (size)
      *size = n;
  } else {
    text_fini(text);
  }
  return bytes;
}

static bool reserve(struct text *text, size_t more) {
  if (text->failed)
    return false;
  if (more <= text->capacity - text->size)
    return true;
  size_t needed = text->size + more;
  size_t doubled = text->capacity > SIZE_MAX / 2 ? SIZE_MAX : text->capacity * 2;
  size_t capacity = needed > doubled ? needed : doubled;
  if (capacity < 256)
    capacity = 256;
  char *bytes = needed < more ? NULL : realloc(text->bytes, capacity);
  if (!bytes) {
    text->failed = true;
    return false;
  }
  text->bytes = bytes;
  text->capacity = capacity;
  return true;
}

void text_reserve(struct text *text, size_t n) {
  reserve(text, n);
}

void text_add(struct text *text, const char *bytes, size_t n) {
  if (n > 0 && reserve(text, n)) {
    memcpy(text->bytes + text->size, bytes, n);
    text->size += n;
  }
}

void text_puts(struct text *text, const char *string) {
  text_add(text, string, strlen(string));
}

void text_put_size(struct text *text, size_t number) {
  char digits[DIGITS_MAX];
  size_t at = sizeof digits;
  do
    digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  text_add(text, digits + at, sizeof digits - at);
}

void text_put_double(struct text *text, double number) {
  if (!isfinite(number)) {
    text_puts(text, "null");
    return;
  }
  bool minus_zero = number == 0 && signbit(number);
  if (fabs(number) < INTEGER_MAX && number == floor(number) && !minus_zero) {
    if (number < 0)
      text_puts(text, "-");
    text_put_size(text, (size_t)fabs(number));
    return;
  }
  char digits[SHORTEST_MAX];
  text_add(text, digits, shortest_double(digits, number));
}

static void put_escaped(struct text *text, unsigned char c) {
  static const char names[] = "\"\\\b\f\n\r\t", escapes[] = "\"\\bfnrt";
  static const char hex[] = "0123456789abcdef";
  const char *name = memchr(names, c, sizeof names - 1);
  char escape[] = {'\\', name ? escapes[name - names] : 'u', '0', '0', hex[c >> 4], hex[c & 15]};
  text_add(text, escape, name ? 2 : sizeof escape);
}

void text_put_json(struct text *text, const char *string) {
  const char *s = string, *const end = string + strlen(string);
  text_puts(text, "\"");
  while (s < end) {
    size_t n = 0;
    while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
      n++;
    const unsigned char c = (unsigned char)*s;
    if (n > 0 || (c >= 0x80 && (n = utf8_sequence(s, end)) > 0)) {
      text_add(text, s, n);
      s += n;
    } else if (c < 0x80) {
      put_escaped(text, c);
      s++;
    } else {
      text_puts(text, "\xef\xbf\xbd");
      s++;
    }
  }
  text_puts(text, "\"");
}
