/* The JSON body of a predict call, read strictly by openapi.json, in one pass, in whatever order
 * its keys come.
 *
 * Faults of the whole request: malformed JSON, an unknown key and a key given twice (at any level)
 * are a 400; a known key of the envelope that is missing or has a value of the wrong type, shape or
 * range is a 422. Of several, malformed JSON is told first, then one of the keys of the envelope,
 * then those of its values. Inside a structure, a known key that is missing or has a value of the
 * wrong type, shape or range is a 422 of that structure alone: its item gets the problem, the
 * others go on.
 *
 * NaN, Infinity and -Infinity are no JSON, but writers put them for numbers: they are read, and
 * refused as numbers that are not finite (422) where they stand. */
#ifndef SERVER_CODEC_CODEC_JSON_H
#define SERVER_CODEC_CODEC_JSON_H

#include "server/base/problem.h"
#include "server/codec/codec_reader.h"
#include "server/codec/request.h"

#include <stdbool.h>
#include <stddef.h>

/* Longest deadline_ms. */
#define CODEC_DEADLINE_MS_MAX 1e9

/* Reads body [size] into a request, which the caller has zeroed and frees with request_fini either
 * way. false: a fault of the whole request, described in *problem. Thread-safe on distinct
 * requests. */
bool codec_json_read(const char *body, size_t size, const struct codec_limits *limits,
                     struct request *request, struct problem *problem);

/* A member that bodies of another call have beside those of predict. */
struct codec_extension {
  const char *key;
  /* Reads the value that comes next; what is wrong with it is a fault of the whole request, whose
   * pointer begins with "#/" and the key. */
  void (*read)(void *context, struct json_reader *json, struct codec_fault *fault);
  void *context;
};

/* codec_json_read for bodies that must have a member more. */
bool codec_json_read_more(const char *body, size_t size, const struct codec_limits *limits,
                          const struct codec_extension *extension, struct request *request,
                          struct problem *problem);

/* The most memory that a request of a JSON text of this size takes while it is read. */
size_t codec_json_bytes(size_t size, const struct codec_limits *limits);

#endif
