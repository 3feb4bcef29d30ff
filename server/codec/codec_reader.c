#include "server/codec/codec_reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Texts of less than 8 bytes a value are hardly structures with coordinates; small ones, or those
 * of 100,000 terse dimers, may be. */
#define VALUES_MIN ((size_t)2 << 20)
#define BYTES_PER_VALUE 8

struct json_reader codec_reader(const char *text, size_t size) {
  struct json_reader reader = json_reader_over(text, size);
  reader.non_finite = true;
  reader.values_left = size / BYTES_PER_VALUE > VALUES_MIN ? size / BYTES_PER_VALUE : VALUES_MIN;
  return reader;
}

bool codec_malformed(const struct json_reader *reader, struct problem *problem) {
  problem_of_kind(problem, reader->too_many ? PROBLEM_TOO_MANY_VALUES : PROBLEM_MALFORMED_JSON, "",
                  "at byte %zu: %s", reader->position, reader->message);
  return false;
}

bool codec_whole_number(struct json_reader *reader, size_t *number) {
  double value;
  if (json_peek(reader) != JSON_NUMBER) {
    json_skip(reader);
    return false;
  }
  if (!json_double(reader, &value) || !(value >= 0 && value <= 0x1p53) || value != floor(value))
    return false;
  *number = (size_t)value;
  return true;
}

bool codec_word(struct json_reader *reader, char word[CODEC_WORD_MAX]) {
  const size_t bound = json_string_bound(reader);
  word[0] = '\0';
  if (bound > 0 && bound <= CODEC_WORD_MAX)
    return json_string(reader, word, CODEC_WORD_MAX, NULL);
  json_skip(reader);
  return bound > 0 && !reader->message;
}

size_t codec_choose(struct json_reader *reader, const char *const names[], size_t n) {
  char word[CODEC_WORD_MAX];
  size_t i = codec_word(reader, word) ? 0 : n;
  while (i < n && strcmp(names[i], word) != 0)
    i++;
  return i;
}

void codec_fault_set(struct codec_fault *fault, enum problem_kind kind, const char *detail,
                     const char *pointer, ...) {
  va_list values;
  if (fault->is_set)
    return;
  fault->is_set = true;
  fault->kind = kind;
  snprintf(fault->detail, sizeof fault->detail, "%s", detail);
  va_start(values, pointer);
  vsnprintf(fault->pointer, sizeof fault->pointer, pointer, values);
  va_end(values);
}

bool codec_fault_tell(const struct codec_fault *fault, struct problem *problem) {
  problem_of_kind(problem, fault->kind, fault->pointer, "%s", fault->detail);
  return false;
}

static void key_fault(struct codec_fault *fault, enum problem_kind kind, const char *base,
                      const char *key) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  const size_t n = strlen(key);
  const bool shown = n > 0 && n <= CODEC_KEY_SHOWN && strspn(key, plain) == n;
  char detail[CODEC_KEY_SHOWN + 64];
  snprintf(detail, sizeof detail, "the key \"%.*s\" %s", CODEC_KEY_SHOWN, key,
           kind == PROBLEM_UNKNOWN_KEY ? "is not known here" : "is given more than once");
  codec_fault_set(fault, kind, detail, "%s%s%s", base, shown ? "/" : "", shown ? key : "");
}

size_t codec_next_member(struct json_reader *reader, const char *const names[], size_t n,
                         uint32_t *seen, const char *base, struct codec_fault *fault) {
  char key[CODEC_KEY_SHOWN + 2]; /* one more than is shown, by which a longer key is known */
  while (json_object_next_cut(reader, key, sizeof key)) {
    size_t i = 0;
    while (i < n && strcmp(names[i], key) != 0)
      i++;
    if (i < n && !(*seen >> i & 1)) {
      *seen |= UINT32_C(1) << i;
      return i;
    }
    key_fault(fault, i < n ? PROBLEM_DUPLICATE_KEY : PROBLEM_UNKNOWN_KEY, base, key);
    json_skip(reader);
  }
  return n;
}
