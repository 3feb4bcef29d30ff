/* Irreps of O(3) with multiplicities, e.g. "128x0e+64x1o", and the padded feature layout of
 * conventions.h. */
#ifndef CORE_E3_IRREPS_H
#define CORE_E3_IRREPS_H

#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>

#define IRREPS_MAX 32

struct irrep {
  int l;      /* 0..IRREP_L_MAX */
  int parity; /* +1 even, -1 odd */
};

struct irreps_entry {
  struct irrep ir;
  size_t mul;        /* channels */
  size_t mul_padded; /* rounded up to IRREP_LANES */
  size_t offset;     /* of this entry in a feature row, in reals */
};

struct irreps {
  size_t n;
  struct irreps_entry entry[IRREPS_MAX];
  size_t dim; /* reals of a feature row, padded */
};

/* Parses "128x0e+64x1o + 2e" (blanks allowed, a missing multiplicity is 1, zero multiplicities are
 * dropped, the empty string is no irreps). BAD_ARGUMENT: syntax, l above IRREP_L_MAX, more than
 * IRREPS_MAX entries, a multiplicity above IRREP_MODEL_CHANNELS_MAX. Thread-safe. */
enum irrep_status irreps_parse(const char *text, struct irreps *irreps, struct irrep_error *error);

/* Parses one irrep such as "1e". BAD_ARGUMENT. Thread-safe. */
enum irrep_status irrep_parse(const char *text, struct irrep *ir, struct irrep_error *error);

/* Writes e.g. "128x0e+64x1e" and a NUL; returns the length without it, or size when it does not
 * fit. */
size_t irreps_format(const struct irreps *irreps, char *text, size_t size);

/* Appends mul channels of ir as a new entry and updates offsets. false when full. */
bool irreps_append(struct irreps *irreps, struct irrep ir, size_t mul);

/* Sorts by l, inside it e3nn's order of parity, and merges entries of the same irrep (e3nn: sort,
 * then simplify). */
void irreps_simplify(struct irreps *irreps);

/* The index of the first entry with this irrep, or irreps->n. */
size_t irreps_find(const struct irreps *irreps, struct irrep ir);

/* The sum of mul * (2l+1), without padding. */
size_t irreps_unpadded_dim(const struct irreps *irreps);

bool irrep_equal(struct irrep a, struct irrep b);

/* Whether c appears in the product of a and b: |la-lb| <= lc <= la+lb and the parities multiply. */
bool irrep_in_product(struct irrep c, struct irrep a, struct irrep b);

#endif
