/* The answers of POST /v1/models/{m}/hessian, and of /v2/models/{m}/infer where its outputs are
 * asked for: JSON structure by structure, or flat arrays over all of them (hessian_outputs.h),
 * F64 but for n_rigid, analytic and status, which are I32. In arrays a structure without numbers
 * has its HTTP status, and NaN, or 0 where numbers are whole. Thread-safe on distinct texts. */
#ifndef SERVER_CODEC_ANSWER_HESSIAN_H
#define SERVER_CODEC_ANSWER_HESSIAN_H

#include "core/base/json_writer.h"
#include "server/codec/codec_kserve.h"
#include "server/codec/hessian_outputs.h"
#include "server/codec/request.h"

struct answer_hessian {
  const char *model, *sha256, *request_id;
  const struct request *request;
  const struct hessian_numbers *numbers; /* [n_items]; read where an item has no problem */
};

/* What comes before the elements of "results"; after them "]}" is due. */
void answer_hessian_begin(struct json_writer *writer, const char *model, const char *sha256,
                          const char *request_id);

/* An element of "results"; id may be NULL. At most answer_hessian_text_bytes of its atoms. */
void answer_hessian_result(struct json_writer *writer, const char *id,
                           const struct hessian_numbers *numbers);

/* Append an answer in arrays to an empty text: safetensors, and KServe, which returns the size of
 * its JSON part, 0 when that is all. */
void answer_hessian_arrays(struct text *text, const struct answer_hessian *answer);
size_t answer_hessian_kserve(struct text *text, const struct answer_hessian *answer,
                             const struct kserve_wish *wish);

/* The bytes that the text of a structure's numbers takes at most, and those of its arrays; SIZE_MAX
 * where that overflows. */
size_t answer_hessian_text_bytes(size_t n_atoms);
size_t answer_hessian_array_bytes(size_t n_atoms);

#endif
