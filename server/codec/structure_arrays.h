/* Structures as ragged arrays, which the binary bodies of predict, relax, md and of /v2 have in
 * common: those of all structures one behind the other, as openapi.json describes them. */
#ifndef SERVER_CODEC_STRUCTURE_ARRAYS_H
#define SERVER_CODEC_STRUCTURE_ARRAYS_H

#include "server/codec/codec_json.h"

#define ARRAY_RANK_MAX 3

enum array_name {
  ARRAY_N_ATOMS,   /* int32 [B] */
  ARRAY_NUMBERS,   /* int32 [sum N] */
  ARRAY_POSITIONS, /* double [sum N][3] */
  ARRAY_CELL,      /* double [B][3][3]; optional, as is */
  ARRAY_PBC,       /* a byte of 0 or 1 [B][3]; default all 1 with cells and all 0 without */
  ARRAY_COUNT,
  /* Where limits->motion is set, all optional: */
  ARRAY_VELOCITIES = ARRAY_COUNT, /* double [sum N][3] Angstrom/fs */
  ARRAY_MASSES,                   /* double [sum N] u */
  ARRAY_FIXED,                    /* a byte [sum N], 1 for an atom that stays */
  ARRAY_MOVING_COUNT
};

struct array_kind {
  const char *name, *shape;              /* the latter for people */
  size_t rank, element_size, columns[2]; /* of the dimensions after the first */
};

extern const struct array_kind array_kinds[ARRAY_MOVING_COUNT];

/* Among the first n arrays; n when none of them has the name. */
enum array_name structure_array_find(const char *name, enum array_name n);

/* The bytes of an array of so many rows; false when no size_t holds them. */
bool structure_array_size(enum array_name name, size_t rows, size_t *bytes);

/* Little-endian, of any alignment; bytes is NULL where the array was not given. */
struct structure_array {
  const char *bytes;
  size_t shape[ARRAY_RANK_MAX];
};

/* Fills the items of a request from arrays [ARRAY_COUNT, or ARRAY_MOVING_COUNT where limits->motion
 * is set] whose bytes are as many as their shape says, and whose
 * shape has the rank and columns of their kind. Rows that do not fit each other, and what is
 * missing, are faults of the whole (false, and *problem); values out of range are faults of their
 * structure, with the pointer that it would have in JSON. Thread-safe on distinct requests. */
bool structure_arrays_read(const struct structure_array *arrays, const struct codec_limits *limits,
                           struct request *request, struct problem *problem);

#endif
