#include "core/program/owned.h"

#include "core/base/arena.h"

#include <stdint.h>
#include <stdlib.h>

struct owned {
  struct owned *next;
  _Alignas(max_align_t) unsigned char bytes[];
};

void owned_free_all(struct owned **list) {
  for (struct owned *o = *list, *next; o; o = next) {
    next = o->next;
    free(o);
  }
  *list = NULL;
}

static void *take(struct program *program, struct owned **list, size_t count, size_t size) {
  const size_t bytes = size_add(size_mul(count, size), sizeof(struct owned));
  struct owned *o = bytes == SIZE_MAX ? NULL : calloc(1, bytes);
  if (!o) {
    program->no_memory = true;
    return NULL;
  }
  o->next = *list;
  *list = o;
  program->owned_bytes += list == &program->owned ? bytes : 0;
  return o->bytes;
}

void *program_take(struct program *program, size_t count, size_t size) {
  return take(program, &program->owned, count, size);
}

void *program_take_scratch(struct program *program, size_t count, size_t size) {
  return take(program, &program->scratch, count, size);
}
