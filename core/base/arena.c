#include "core/base/arena.h"

#include "irrep/conventions.h"

#include <stdint.h>

size_t size_add(size_t a, size_t b) {
  return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

size_t size_mul(size_t a, size_t b) {
  return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

static size_t round_up(size_t bytes) {
  size_t padded = size_add(bytes, IRREP_ALIGNMENT - 1);
  return padded == SIZE_MAX ? SIZE_MAX : padded / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
}

struct arena arena_over(void *base, size_t size) {
  /* A failed allocation must not turn into an arena that counts. */
  bool usable = base != NULL && (uintptr_t)base % IRREP_ALIGNMENT == 0;
  return (struct arena){.base = base, .size = size, .used = 0, .failed = !usable};
}

struct arena arena_counting(void) {
  return (struct arena){.base = NULL, .size = SIZE_MAX, .used = 0, .failed = false};
}

void *arena_take(struct arena *arena, size_t count, size_t size) {
  if (arena->failed) {
    return NULL;
  }
  size_t begin = arena->used;
  size_t end = size_add(begin, round_up(size_mul(count, size)));
  bool counting = !arena->base;
  if (end == SIZE_MAX || end > arena->size) {
    arena->failed = true;
    arena->used = counting ? SIZE_MAX : begin;
    return NULL;
  }
  arena->used = end;
  return counting ? NULL : arena->base + begin;
}
