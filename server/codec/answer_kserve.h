/* The answer of POST /v2/models/{m}/infer: a JSON object with what was asked for of the outputs of
 * irrep/outputs.h, FP64 with a row for each structure or atom, and status INT32[B], and behind it
 * the bytes of those that were asked for as binary, in their order.
 *
 * Where dispersion was asked for, dispersion_energy FP64[B] is an output more, as a list.
 *
 * status is as in answer_safetensors.h; numbers that are not there are null in lists and NaN in
 * bytes. The model's sha256, the request id and the timing are parameters of the answer. */
#ifndef SERVER_CODEC_ANSWER_KSERVE_H
#define SERVER_CODEC_ANSWER_KSERVE_H

#include "server/codec/answer_safetensors.h"
#include "server/codec/codec_kserve.h"

/* Of an answer with bytes, and of a body. */
#define BYTES_TYPE "application/octet-stream"

/* The version that every model has. */
#define KSERVE_VERSION "1"

/* Appends the answer to an empty text. Returns the size of its JSON part, 0 when that is all.
 * Thread-safe on distinct texts. */
size_t answer_kserve_write(struct text *text, const struct answer_safetensors *answer,
                           const struct kserve_wish *wish);

#endif
