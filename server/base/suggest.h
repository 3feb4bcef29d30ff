/* Which of some names somebody may have meant. */
#ifndef SERVER_BASE_SUGGEST_H
#define SERVER_BASE_SUGGEST_H

#include <stddef.h>

/* Longer names are like no others. */
#define SUGGEST_MAX 64

/* Returns the first of the names [n] that a name becomes by the fewest changes, insertions and
 * omissions of a byte, or NULL where that takes more than two fifths of the longer one. Letters are
 * the same in either case. Levenshtein, Soviet Physics Doklady 10, 707 (1966). Thread-safe. */
const char *suggest(const char *name, const char *const *names, size_t n);

#endif
