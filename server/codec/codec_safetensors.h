/* The binary body of a predict call: ragged arrays in a safetensors container, as
 * openapi.json describes them.
 *
 * Tensors: n_atoms I32[B], numbers I32[sum N], positions F64[sum N,3]; cell F64[B,3,3] and pbc
 * U8[B,3] (BOOL too) are as optional as in JSON. Options are strings of __metadata__: properties
 * (separated by commas), precision, deadline_ms, priority, dispersion.
 *
 * Faults are those of codec_json.h: a container that is not well-formed, an unknown name and a name
 * given twice are a 400, tensors of the wrong type or shape a 422 of the whole, values out of range
 * a 422 of their structure, with the pointer that the structure would have in JSON. */
#ifndef SERVER_CODEC_CODEC_SAFETENSORS_H
#define SERVER_CODEC_CODEC_SAFETENSORS_H

#include "server/codec/codec_json.h"

#define SAFETENSORS_TYPE "application/x-safetensors"

/* As codec_json_read. Where limits->motion is set, velocities F64[sum N,3], masses F64[sum N] and
 * fixed U8[sum N] (BOOL too; 1: the atom stays) are read too. */
bool codec_safetensors_read(const char *body, size_t size, const struct codec_limits *limits,
                            struct request *request, struct problem *problem);

/* codec_json_read_more: the member is the JSON of an object, as a string of __metadata__. */
bool codec_safetensors_read_more(const char *body, size_t size, const struct codec_limits *limits,
                                 const struct codec_extension *extension, struct request *request,
                                 struct problem *problem);

/* The bytes of a body before those of its tensors, as it says itself; at most size. */
size_t codec_safetensors_head(const char *body, size_t size);

#endif
