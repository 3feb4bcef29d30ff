/* What a request will take, from a look at its body before it is read: enough at least, so that it
 * may be let in when there is room for that. Thread-safe. */
#ifndef SERVER_CODEC_BODY_SIZE_H
#define SERVER_CODEC_BODY_SIZE_H

#include "server/codec/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each at most; SIZE_MAX where that overflows. */
struct body_size {
  size_t n_structures, n_atoms; /* of all structures */
  uint32_t properties;          /* a set of properties.h */
  size_t id_bytes;              /* of all ids */
  size_t request_bytes;         /* that the request takes while it is read */
};

/* Of a JSON body of predict. */
struct body_size body_size_json(const char *body, size_t size, const struct codec_limits *limits);

/* Of a body of arrays whose first json_size bytes are JSON: that of /v2, or the head of a
 * safetensors body. */
struct body_size body_size_arrays(const char *body, size_t json_size, size_t size,
                                  const struct codec_limits *limits);

/* What the numbers of so many structures and atoms take, and the text, or else the bytes, of their
 * answer; SIZE_MAX where that overflows. card as in answer_json_size. */
size_t body_size_answer(uint32_t properties, const struct irrep_card *card, size_t n_structures,
                        size_t n_atoms, bool is_text);

#endif
