/* Structures as ragged arrays, which the binary bodies of predict and of /v2 have in common: those
 * of all structures one behind the other, as openapi.json describes them. */
#ifndef SERVER_CODEC_RAGGED_H
#define SERVER_CODEC_RAGGED_H

#include "server/codec/codec_json.h"

#define RAGGED_RANK_MAX 3

enum ragged_name {
  RAGGED_N_ATOMS,   /* int32 [B] */
  RAGGED_NUMBERS,   /* int32 [sum N] */
  RAGGED_POSITIONS, /* double [sum N][3] */
  RAGGED_CELL,      /* double [B][3][3]; optional, as is */
  RAGGED_PBC,       /* a byte of 0 or 1 [B][3]; default all 1 with cells and all 0 without */
  RAGGED_COUNT
};

struct ragged_kind {
  const char *name, *shape;              /* the latter for people */
  size_t rank, element_size, columns[2]; /* of the dimensions after the first */
};

extern const struct ragged_kind ragged_kinds[RAGGED_COUNT];

/* RAGGED_COUNT when no array has the name. */
enum ragged_name ragged_find(const char *name);

/* The bytes of an array of so many rows; false when no size_t holds them. */
bool ragged_size(enum ragged_name name, size_t rows, size_t *bytes);

/* Little-endian, of any alignment; bytes is NULL where the array was not given. */
struct ragged_array {
  const char *bytes;
  size_t shape[RAGGED_RANK_MAX];
};

/* Fills the items of a request from arrays whose bytes are as many as their shape says, and whose
 * shape has the rank and columns of their kind. Rows that do not fit each other, and what is
 * missing, are faults of the whole (false, and *problem); values out of range are faults of their
 * structure, with the pointer that it would have in JSON. Thread-safe on distinct requests. */
bool ragged_read(const struct ragged_array arrays[RAGGED_COUNT], const struct codec_limits *limits,
                 struct request *request, struct problem *problem);

#endif
