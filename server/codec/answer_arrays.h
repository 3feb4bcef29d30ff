/* The numbers of an answer as arrays over all structures, which binary answers give as bytes.
 * Thread-safe on distinct texts. */
#ifndef SERVER_CODEC_ANSWER_ARRAYS_H
#define SERVER_CODEC_ANSWER_ARRAYS_H

#include "irrep/result.h"
#include "server/base/text.h"
#include "server/codec/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer_array {
  const char *name;
  unsigned property;     /* enum request_property */
  bool by_atom;          /* a row for each atom, otherwise for each structure */
  size_t columns;        /* doubles of a row */
  const char *shape_end; /* what follows the number of rows in a shape: ",3]" */
  const double *(*source)(const struct irrep_result *result); /* its rows; NULL: it has none */
};

#define ANSWER_ARRAYS 4

/* energy, forces, stress, energies, in the order in which they are written. */
extern const struct answer_array answer_arrays[ANSWER_ARRAYS];

size_t answer_array_rows(const struct answer_array *array, const struct request *request);

/* The rows of a structure, their doubles being *n; NULL where it has a problem or has none, as the
 * stress of a molecule. results [n_items]. */
const double *answer_array_of(const struct answer_array *array, const struct request *request,
                              const struct irrep_result *results, size_t index, size_t *n);

/* Appends the bytes of all rows; NaN where there are none. */
void answer_array_put(struct text *text, const struct answer_array *array,
                      const struct request *request, const struct irrep_result *results);

/* 0, or the HTTP status that the structure would have alone. */
int32_t answer_status(const struct request *request, size_t index);

/* Appends the bytes of all statuses. */
void answer_status_put(struct text *text, const struct request *request);

#endif
