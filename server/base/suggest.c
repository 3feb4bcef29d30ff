#include "server/base/suggest.h"

#include <string.h>

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Of names of at most SUGGEST_MAX bytes. */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b) {
  size_t row[SUGGEST_MAX + 1]; /* of the first i bytes of a, to the first j of b */
  for (size_t j = 0; j <= n_b; j++)
    row[j] = j;
  for (size_t i = 1; i <= n_a; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n_b; j++) {
      const size_t changed = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
      diagonal = row[j];
      row[j] = least(changed, least(row[j], row[j - 1]) + 1);
    }
  }
  return row[n_b];
}

const char *suggest(const char *name, const char *const *names, size_t n) {
  const size_t length = strlen(name);
  const char *best = NULL;
  size_t fewest = SUGGEST_MAX + 1;
  for (size_t i = 0; i < n; i++) {
    const size_t other = strlen(names[i]), longer = length > other ? length : other;
    const size_t shorter = length < other ? length : other;
    if (longer > SUGGEST_MAX || 5 * (longer - shorter) > 2 * longer)
      continue;
    const size_t changes = distance(name, length, names[i], other);
    if (changes >= fewest || 5 * changes > 2 * longer)
      continue;
    fewest = changes;
    best = names[i];
  }
  return best;
}
