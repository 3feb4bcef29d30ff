/* Bytes that lie in several places, to be sent from there one after another: the body of an answer
 * whose parts were written apart. One thread's. */
#ifndef SERVER_BASE_PIECES_H
#define SERVER_BASE_PIECES_H

#include <stdbool.h>
#include <stddef.h>

struct piece {
  const void *bytes; /* [size] */
  size_t size;
};

struct pieces {
  /* Read-only */
  struct piece *items; /* [n_items], none of them empty */
  size_t n_items;
  size_t size; /* of all together */
  /* Private */
  size_t items_max;
  void **blocks; /* [n_blocks] that are freed with it */
  size_t n_blocks, blocks_max;
};

/* Room for so many pieces, and for so many blocks of memory that they lie in; NULL without memory.
 */
struct pieces *pieces_new(size_t items_max, size_t blocks_max);
void pieces_free(struct pieces *pieces);

/* Appends bytes [size], which live at least as long as the pieces; with what was appended last they
 * are one piece where they follow it in memory. At most items_max times. */
void pieces_add(struct pieces *pieces, const char *bytes, size_t size);

/* Takes a malloc'ed block, which is freed with the pieces; NULL is allowed. At most blocks_max
 * times. */
void pieces_take(struct pieces *pieces, void *block);

/* A copy of all in one piece, malloc'ed and NUL-terminated; NULL without memory. */
char *pieces_join(const struct pieces *pieces);

#endif
