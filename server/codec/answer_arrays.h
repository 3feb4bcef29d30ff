/* The numbers of an answer as arrays over all structures, which binary answers give as bytes.
 * Thread-safe on distinct texts. */
#ifndef SERVER_CODEC_ANSWER_ARRAYS_H
#define SERVER_CODEC_ANSWER_ARRAYS_H

#include "core/base/json_writer.h"
#include "irrep/outputs.h"
#include "server/codec/request.h"

#include <stddef.h>
#include <stdint.h>

/* The rows of an output over all structures. */
size_t answer_array_rows(const struct irrep_output *output, const struct request *request);

/* The doubles of a row, which are the same for all results. */
size_t answer_array_columns(const struct irrep_output *output, const struct irrep_result *results);

/* Writes the member shape of that many rows: [2,3]. */
void answer_array_put_shape(struct json_writer *writer, const struct irrep_output *output,
                            const struct irrep_result *results, size_t rows);

/* The rows of a structure, their doubles being *n; NULL where it has a problem or has none, as the
 * stress of a molecule. results [n_items]. */
const double *answer_array_of(const struct irrep_output *output, const struct request *request,
                              const struct irrep_result *results, size_t index, size_t *n);

/* Appends the bytes of all rows; NaN where there are none. */
void answer_array_put(struct text *text, const struct irrep_output *output,
                      const struct request *request, const struct irrep_result *results);

/* The same for deviations of a committee [n_items], whose rows are those of deviation_output_at. */
const double *answer_deviation_of(const struct irrep_output *output, const struct request *request,
                                  const struct deviation *deviations, size_t index, size_t *n);
void answer_deviations_put(struct text *text, const struct irrep_output *output,
                           const struct request *request, const struct deviation *deviations);

/* 0, or the HTTP status that the structure would have alone. */
int32_t answer_status(const struct request *request, size_t index);

/* Writes the member shape of all statuses, and appends their bytes. */
void answer_status_put_shape(struct json_writer *writer, const struct request *request);
void answer_status_put(struct text *text, const struct request *request);

#endif
