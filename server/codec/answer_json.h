/* The JSON answer of a predict call, written as openapi.json describes it. */
#ifndef SERVER_CODEC_ANSWER_JSON_H
#define SERVER_CODEC_ANSWER_JSON_H

#include "core/base/json_writer.h"
#include "irrep/outputs.h"
#include "server/base/problem.h"
#include "server/codec/request.h"

#include <stddef.h>

/* Times in milliseconds: the longest of the request's structures. Sizes: of its largest batch. */
struct answer_timing {
  double queue_ms, compute_ms;
  size_t batch_structures, batch_atoms;
};

/* Writes the members of a timing. */
void answer_timing_put(struct json_writer *writer, const struct answer_timing *timing);

/* An element of "results": the numbers of a structure of n_atoms, of which only the wanted ones are
 * written, or what was wrong with it. id, dispersion_energy and deviation may be NULL. Thread-safe
 * on distinct writers. */
void answer_json_result(struct json_writer *writer, const char *id, uint32_t properties,
                        size_t n_atoms, const struct irrep_result *result,
                        const double *dispersion_energy, const struct deviation *deviation);

/* The members of a deviation, of those properties that are wanted. */
void answer_json_deviation(struct json_writer *writer, uint32_t properties, size_t n_atoms,
                           const struct deviation *deviation);
void answer_json_error(struct json_writer *writer, const char *id, const struct problem *problem);

/* Opens such an element, with its id and status. */
void answer_json_open(struct json_writer *writer, const char *id, const char *status);

/* About how many bytes the elements of so many structures take together, of so many atoms. card: of
 * the model; NULL: without what is as wide as the model has it. */
size_t answer_json_size(uint32_t properties, const struct irrep_card *card, size_t n_structures,
                        size_t n_atoms);

/* What comes before the elements of "results", with the units of the properties, and what comes
 * after. */
void answer_json_begin(struct json_writer *writer, const char *model, const char *sha256,
                       const char *request_id, uint32_t properties, bool has_committee);
void answer_json_end(struct json_writer *writer, const struct answer_timing *timing);

#endif
