/* Statuses of every call that can fail, and the caller-owned record that says what failed where.
 *
 * Every function of irrep that can fail returns an enum irrep_status. Where it takes a struct
 * irrep_error, that is filled on failure only, and may be NULL. Nothing in the library prints,
 * aborts or exits. */
#ifndef IRREP_STATUS_H
#define IRREP_STATUS_H

#include <stdarg.h>
#include <stddef.h>

/* X(NAME, HTTP status, title): the title is short and the same for every occurrence; the detail
 * says the rest. */
#define IRREP_STATUS_MAP(X)                                                                        \
  X(OK, 200, "success")                                                                            \
  X(NO_MEMORY, 503, "not enough memory")                                                           \
  X(BAD_ARGUMENT, 400, "invalid argument")                                                         \
  X(NO_ATOMS, 422, "structure without atoms")                                                      \
  X(NOT_FINITE, 422, "number that is not finite or too large")                                     \
  X(UNKNOWN_ELEMENT, 422, "element that the model was not trained on")                             \
  X(SINGULAR_CELL, 422, "cell without volume along its periodic axes")                             \
  X(ATOMS_OVERLAP, 422, "atoms on top of each other")                                              \
  X(TOO_LARGE, 422, "structure larger than the limits")                                            \
  X(RESULT_NOT_FINITE, 422, "the model's answer is not finite")                                    \
  X(BAD_MODEL_FILE, 500, "damaged model file")                                                     \
  X(UNSUPPORTED_MODEL, 500, "model that is not supported")                                         \
  X(CANCELLED, 503, "cancelled")

enum irrep_status {
#define IRREP_STATUS_ENUM(name, http, title) IRREP_##name,
  IRREP_STATUS_MAP(IRREP_STATUS_ENUM)
#undef IRREP_STATUS_ENUM
};

/* What failed and where. Owned by the caller; plain data, may be copied. */
struct irrep_error {
  enum irrep_status status;
  char field[64]; /* the offending field as a JSON-pointer tail, e.g. "numbers/3" or "cell"; "" when
                     none */
  char detail[256]; /* one English sentence that says what is wrong and what would be accepted */
};

/* The name of a status, e.g. "UNKNOWN_ELEMENT". Never NULL. Thread-safe. */
const char *irrep_status_name(enum irrep_status status);

/* The title of a status, e.g. "element that the model was not trained on". Never NULL. Thread-safe.
 */
const char *irrep_status_title(enum irrep_status status);

/* The HTTP status code that suits a status. Thread-safe. */
int irrep_status_http(enum irrep_status status);

/* Fills error (if not NULL) with status, field and a printf-formatted detail, and returns status.
 * Thread-safe. */
enum irrep_status irrep_fail(struct irrep_error *error, enum irrep_status status, const char *field,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
