/* The kinds of error that a predict call can end in: the one place of their HTTP statuses. */
#ifndef SERVER_BASE_PROBLEM_KINDS_H
#define SERVER_BASE_PROBLEM_KINDS_H

#include "core/base/json_writer.h"
#include "irrep/status.h"
#include "server/base/problem.h"

/* The server's own. X(NAME, HTTP status, "kind" of urn:irrepd:KIND, title). */
#define PROBLEM_KINDS(X)                                                                           \
  X(MALFORMED_JSON, 400, "malformed-json", "malformed JSON")                                       \
  X(MALFORMED_SAFETENSORS, 400, "malformed-safetensors", "malformed safetensors")                  \
  X(MALFORMED_TENSORS, 400, "malformed-tensors", "malformed tensors")                              \
  X(UNKNOWN_KEY, 400, "unknown-key", "unknown key")                                                \
  X(DUPLICATE_KEY, 400, "duplicate-key", "key given twice")                                        \
  X(MISSING_KEY, 422, "missing-key", "key missing")                                                \
  X(WRONG_TYPE, 422, "wrong-type", "value of the wrong JSON type")                                 \
  X(WRONG_SHAPE, 422, "wrong-shape", "array of the wrong shape")                                   \
  X(WRONG_VALUE, 422, "wrong-value", "value out of its range")                                     \
  X(NOT_FINITE, 422, "not-finite", "number that is not finite or too large")                       \
  X(NO_ATOMS, 422, "no-atoms", "structure without atoms")                                          \
  X(MISSING_CELL, 422, "missing-cell", "periodic axis without a cell")                             \
  X(TOO_LARGE, 422, "too-large", "structure larger than the limits")                               \
  X(UNKNOWN_MEMBER, 422, "unknown-member", "no such member of a committee")                        \
  X(UNKNOWN_HEAD, 422, "unknown-head", "no such head")                                             \
  X(MISSING_HEAD, 422, "missing-head", "no head named")                                            \
  X(NO_DISPERSION_DATA, 422, "no-dispersion-data", "no reference data of dispersion")              \
  X(TOO_MANY_STRUCTURES, 422, "too-many-structures", "too many structures in one request")         \
  X(TOO_MANY_VALUES, 413, "too-many-values", "too many values in one request")                     \
  X(UNAUTHORIZED, 401, "unauthorized", "no valid API key")                                         \
  X(FORBIDDEN, 403, "forbidden", "not allowed")                                                    \
  X(UNKNOWN_MODEL, 404, "unknown-model", "no such model")                                          \
  X(MODEL_LOADING, 503, "model-loading", "model is loading")                                       \
  X(MODEL_NOT_READY, 503, "model-not-ready", "model is not loaded")                                \
  X(CLIENT_QUOTA, 429, "client-quota", "this client's share of the queue is taken")                \
  X(QUEUE_FULL, 503, "queue-full", "queue is full")                                                \
  X(DRAINING, 503, "draining", "the server is shutting down")                                      \
  X(NO_MEMORY, 503, "no-memory", "not enough memory")                                              \
  X(DEADLINE_PASSED, 504, "deadline-passed", "deadline passed before the computation began")       \
  X(ADDRESS_NOT_ALLOWED, 403, "address-not-allowed", "address not allowed")                        \
  X(TOO_MANY_SOCKETS, 503, "too-many-sockets", "too many sockets")                                 \
  X(UNKNOWN_JOB, 404, "unknown-job", "no such job")                                                \
  X(JOB_STATE, 409, "job-state", "not in this state of a job")                                     \
  X(TOO_MANY_JOBS, 503, "too-many-jobs", "too many jobs")                                          \
  X(INTERNAL, 500, "internal", "internal error")

/* Those of the core. X(NAME of the status, HTTP status). The kind is the name in lower case with
 * hyphens, the title is the status's message (irrep/status.h). */
#define PROBLEM_CORE_KINDS(X)                                                                      \
  X(OK, 200)                                                                                       \
  X(NO_MEMORY, 503)                                                                                \
  X(BAD_ARGUMENT, 400)                                                                             \
  X(NO_ATOMS, 422)                                                                                 \
  X(NOT_FINITE, 422)                                                                               \
  X(UNKNOWN_ELEMENT, 422)                                                                          \
  X(SINGULAR_CELL, 422)                                                                            \
  X(ATOMS_OVERLAP, 422)                                                                            \
  X(TOO_LARGE, 422)                                                                                \
  X(RESULT_NOT_FINITE, 422)                                                                        \
  X(BAD_MODEL_FILE, 500)                                                                           \
  X(UNSUPPORTED_MODEL, 500)                                                                        \
  X(CANCELLED, 503)                                                                                \
  X(DIVERGED, 422)

enum problem_kind {
#define PROBLEM_ENUM(name, http, kind, title) PROBLEM_##name,
  PROBLEM_KINDS(PROBLEM_ENUM)
#undef PROBLEM_ENUM
};

/* problem_set with the status, kind and title of the table. Thread-safe. */
struct problem *problem_of_kind(struct problem *problem, enum problem_kind kind,
                                const char *pointer, const char *detail, ...)
    __attribute__((format(printf, 4, 5)));

/* The problem that a core error stands for; its field is appended to `pointer` with a slash.
 * Thread-safe. */
struct problem *problem_of_error(struct problem *problem, const struct irrep_error *error,
                                 const char *pointer);

/* Writes the object that problem_render makes. Thread-safe on distinct writers. */
void problem_put(struct json_writer *writer, const char *key, const struct problem *problem);

#endif
