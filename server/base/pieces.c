#include "server/base/pieces.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* count * size zeroed bytes, and some where there is nothing to hold; NULL without memory. */
static void *array_new(size_t count, size_t size) {
  return count > SIZE_MAX / size ? NULL : calloc(count > 0 ? count : 1, size);
}

struct pieces *pieces_new(size_t items_max, size_t blocks_max) {
  struct pieces *pieces = calloc(1, sizeof *pieces);
  if (!pieces)
    return NULL;
  pieces->items = array_new(items_max, sizeof *pieces->items);
  pieces->blocks = array_new(blocks_max, sizeof *pieces->blocks);
  pieces->items_max = items_max;
  pieces->blocks_max = blocks_max;
  if (pieces->items && pieces->blocks)
    return pieces;
  pieces_free(pieces);
  return NULL;
}

void pieces_free(struct pieces *pieces) {
  if (!pieces)
    return;
  for (size_t i = 0; i < pieces->n_blocks; i++)
    free(pieces->blocks[i]);
  free(pieces->blocks);
  free(pieces->items);
  free(pieces);
}

/* Whether bytes lie right behind what was appended last. */
static bool follows(const struct pieces *pieces, const char *bytes) {
  if (pieces->n_items == 0)
    return false;
  const struct piece *last = &pieces->items[pieces->n_items - 1];
  return (const char *)last->bytes + last->size == bytes;
}

void pieces_add(struct pieces *pieces, const char *bytes, size_t size) {
  if (size == 0)
    return;
  pieces->size += size;
  if (follows(pieces, bytes))
    pieces->items[pieces->n_items - 1].size += size;
  else
    pieces->items[pieces->n_items++] = (struct piece){bytes, size};
}

void pieces_take(struct pieces *pieces, void *block) {
  if (block)
    pieces->blocks[pieces->n_blocks++] = block;
}

char *pieces_join(const struct pieces *pieces) {
  char *joined = pieces->size < SIZE_MAX ? malloc(pieces->size + 1) : NULL;
  if (!joined)
    return NULL;
  char *at = joined;
  for (size_t i = 0; i < pieces->n_items; i++) {
    memcpy(at, pieces->items[i].bytes, pieces->items[i].size);
    at += pieces->items[i].size;
  }
  *at = '\0';
  return joined;
}
