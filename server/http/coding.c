#include "server/http/coding.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define WEIGHT_NONE (-1) /* it is not named */
#define WEIGHT_ONE 1000

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Whether text [size] is a word, whatever its case. */
static bool is_word(const char *text, size_t size, const char *word) {
  return strlen(word) == size && strncasecmp(text, word, size) == 0;
}

static enum http_coding coding_of(const char *name, size_t size) {
  if (is_word(name, size, "identity"))
    return CODING_IDENTITY;
  if (is_word(name, size, "gzip") || is_word(name, size, "x-gzip"))
    return CODING_GZIP;
  return is_word(name, size, "zstd") ? CODING_ZSTD : CODING_UNKNOWN;
}

enum http_coding http_coding_of(const char *content_encoding) {
  if (!content_encoding)
    return CODING_IDENTITY;
  const char *at = content_encoding;
  while (is_blank(*at))
    at++;
  size_t size = strlen(at);
  while (size > 0 && is_blank(at[size - 1]))
    size--;
  return coding_of(at, size);
}

const char *http_coding_name(enum http_coding coding) {
  static const char *const names[] = {"identity", "gzip", "zstd", "unknown"};
  return names[coding];
}

/* The weight of a member [at, end) behind its name, in thousandths: of ";q=0.5", 500; without one,
 * 1000. One that is no number counts as 0: what is not understood is not wanted. */
static int weight_of(const char *at, const char *end) {
  const char *q = memchr(at, ';', (size_t)(end - at));
  if (!q)
    return WEIGHT_ONE;
  do
    q++;
  while (q < end && is_blank(*q));
  if (end - q < 3 || (*q != 'q' && *q != 'Q') || q[1] != '=' || !is_digit(q[2]))
    return 0;
  int weight = (q[2] - '0') * WEIGHT_ONE, place = WEIGHT_ONE / 10;
  q += 3;
  if (q < end && *q == '.')
    for (q++; q < end && is_digit(*q); q++, place /= 10)
      weight += (*q - '0') * place;
  while (q < end && is_blank(*q))
    q++;
  return q < end || weight > WEIGHT_ONE ? 0 : weight;
}

/* The weights of a field's members: of each coding, and of all others. */
struct weights {
  int of[CODING_UNKNOWN], others;
};

static void take_member(struct weights *weights, const char *at, const char *end) {
  while (at < end && is_blank(*at))
    at++;
  const char *name_end = at;
  while (name_end < end && !is_blank(*name_end) && *name_end != ';')
    name_end++;
  const size_t size = (size_t)(name_end - at);
  const int weight = weight_of(name_end, end);
  const enum http_coding coding = coding_of(at, size);
  if (is_word(at, size, "*"))
    weights->others = weight;
  else if (coding != CODING_UNKNOWN)
    weights->of[coding] = weight;
}

static int weight_in(const struct weights *weights, enum http_coding coding) {
  return weights->of[coding] != WEIGHT_NONE ? weights->of[coding] : weights->others;
}

struct http_codings http_codings_of(const char *accept_encoding) {
  struct weights weights = {{WEIGHT_NONE, WEIGHT_NONE, WEIGHT_NONE}, WEIGHT_NONE};
  for (const char *at = accept_encoding ? accept_encoding : ""; *at != '\0';) {
    const char *end = at + strcspn(at, ",");
    take_member(&weights, at, end);
    at = *end == ',' ? end + 1 : end;
  }
  const int identity = weight_in(&weights, CODING_IDENTITY);
  const int gzip = weight_in(&weights, CODING_GZIP), zstd = weight_in(&weights, CODING_ZSTD);
  const enum http_coding best = zstd >= gzip ? CODING_ZSTD : CODING_GZIP;
  const int weight = zstd >= gzip ? zstd : gzip;
  /* Where identity is named, or stands for others, it is weighed as they are. */
  const bool is_wanted = weight > 0 && (weights.of[CODING_IDENTITY] == WEIGHT_NONE ||
                                        weight >= weights.of[CODING_IDENTITY]);
  return (struct http_codings){is_wanted ? best : CODING_IDENTITY, identity != 0};
}
