/* A bump allocator over memory that somebody else owns. */
#ifndef CORE_BASE_ARENA_H
#define CORE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* With !base an arena only counts: every take gives NULL and `used` says what would be
 * needed. */
struct arena {
  unsigned char *base; /* aligned to IRREP_ALIGNMENT, or NULL to count */
  size_t size;         /* bytes; SIZE_MAX when counting */
  size_t used;
  bool failed; /* a take did not fit or its size overflowed; sticks */
};

struct arena arena_over(void *base, size_t size);
struct arena arena_counting(void);

/* count * size bytes, aligned to IRREP_ALIGNMENT, not cleared. NULL when counting, or on failure,
 * which sets failed. */
void *arena_take(struct arena *arena, size_t count, size_t size);

/* a + b and a * b; SIZE_MAX where that overflows. SIZE_MAX stays there, but for times 0. */
size_t size_add(size_t a, size_t b);
size_t size_mul(size_t a, size_t b);

#endif
