#include "core/base/text.h"

#include "core/base/shortest.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The first allocation. */
#define CAPACITY_MIN 256

/* Digits of any size_t. */
#define DIGITS_MAX 20

/* Below this every integral double has at most 15 digits. */
#define INTEGER_MAX 1e15

struct text text_over(char *bytes, size_t capacity) {
  return (struct text){.bytes = bytes, .capacity = capacity, .is_fixed = true};
}

void text_fini(struct text *text) {
  if (!text->is_fixed)
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

char *text_room(struct text *text, size_t n) {
  if (text->failed)
    return NULL;
  if (n <= text->capacity - text->size)
    return text->bytes + text->size;
  const size_t needed = text->size + n;
  const size_t doubled = text->capacity > SIZE_MAX / 2 ? SIZE_MAX : text->capacity * 2;
  size_t capacity = needed > doubled ? needed : doubled;
  if (capacity < CAPACITY_MIN)
    capacity = CAPACITY_MIN;
  char *bytes = needed < n || text->is_fixed ? NULL : realloc(text->bytes, capacity);
  if (!bytes) {
    text->failed = true;
    return NULL;
  }
  text->bytes = bytes;
  text->capacity = capacity;
  return bytes + text->size;
}

void text_add(struct text *text, const char *bytes, size_t n) {
  char *room = n > 0 ? text_room(text, n) : NULL;
  if (room) {
    memcpy(room, bytes, n);
    text->size += n;
  }
}

void text_puts(struct text *text, const char *string) {
  text_add(text, string, strlen(string));
}

/* Writes the digits of a number; returns how many. */
static size_t write_whole(char digits[DIGITS_MAX], uint64_t number) {
  char reversed[DIGITS_MAX];
  size_t at = sizeof reversed;
  do
    reversed[--at] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  memcpy(digits, reversed + at, sizeof reversed - at);
  return sizeof reversed - at;
}

void text_put_size(struct text *text, size_t number) {
  char digits[DIGITS_MAX];
  text_add(text, digits, write_whole(digits, number));
}

size_t text_double(char out[TEXT_DOUBLE_MAX], double number) {
  if (!isfinite(number)) {
    memcpy(out, "null", 4);
    return 4;
  }
  const double size = fabs(number);
  if (size >= INTEGER_MAX || size != floor(size) || (size == 0 && signbit(number)))
    return shortest_double(out, number);
  const bool negative = number < 0;
  if (negative)
    *out++ = '-';
  return negative + write_whole(out, (uint64_t)size);
}

void text_put_double(struct text *text, double number) {
  char digits[TEXT_DOUBLE_MAX];
  text_add(text, digits, text_double(digits, number));
}
