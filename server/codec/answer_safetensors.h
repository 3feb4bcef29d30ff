/* The binary answer of a predict call, as openapi.json describes it: what was asked for of the
 * outputs of irrep/outputs.h, F64 with a row for each structure or atom, and status I32[B].
 *
 * Where dispersion was asked for, dispersion_energy F64[B] is its part of the energies. Of a
 * committee there are energy_std F64[B], forces_std F64[sum N] and stress_std F64[B,3,3], as far as
 * their properties were asked for.
 *
 * status is 0, or the HTTP status that the structure would have alone; then its numbers are NaN, as
 * is the stress of a structure that is not periodic along all axes. __metadata__ has the model, its
 * sha256, the request id, the timing, and which outputs have a row for each atom, as strings. */
#ifndef SERVER_CODEC_ANSWER_SAFETENSORS_H
#define SERVER_CODEC_ANSWER_SAFETENSORS_H

#include "server/codec/answer_json.h"

struct answer_safetensors {
  const char *model, *sha256, *request_id;
  const struct answer_timing *timing;
  const struct request *request;
  const struct irrep_result *results; /* [n_items]; numbers are read where an item has no problem */
  const double *dispersion_energies;  /* [n_items] eV, NaN where there are none; or NULL */
  const struct deviation *deviations; /* [n_items] of a committee; NULL: there is none */
};

/* Appends the answer to an empty text. Thread-safe on distinct texts. */
void answer_safetensors_write(struct text *text, const struct answer_safetensors *answer);

#endif
