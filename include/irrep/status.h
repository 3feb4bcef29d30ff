/* Statuses of every call that can fail, and the caller-owned record that says what failed where.
 *
 * Every function of irrep that can fail returns an enum irrep_status. Where it takes a struct
 * irrep_error, that is filled on failure only, and may be NULL. Nothing in the library prints,
 * aborts or exits. */
#ifndef IRREP_STATUS_H
#define IRREP_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Checks the arguments of a function against its printf format, where the compiler can. */
#if defined(__GNUC__)
#define IRREP_PRINTF(format_index, first_argument)                                                 \
  __attribute__((format(printf, format_index, first_argument)))
#else
#define IRREP_PRINTF(format_index, first_argument)
#endif

/* X(NAME, message): the message is short and the same for every occurrence; the detail of an error
 * says the rest. New statuses are added at the end. */
#define IRREP_STATUS_MAP(X)                                                                        \
  X(OK, "success")                                                                                 \
  X(NO_MEMORY, "not enough memory")                                                                \
  X(BAD_ARGUMENT, "invalid argument")                                                              \
  X(NO_ATOMS, "structure without atoms")                                                           \
  X(NOT_FINITE, "number that is not finite or too large")                                          \
  X(UNKNOWN_ELEMENT, "element that the model was not trained on")                                  \
  X(SINGULAR_CELL, "cell without volume along its periodic axes")                                  \
  X(ATOMS_OVERLAP, "atoms on top of each other")                                                   \
  X(TOO_LARGE, "structure larger than the limits")                                                 \
  X(RESULT_NOT_FINITE, "the model's answer is not finite")                                         \
  X(BAD_MODEL_FILE, "damaged model file")                                                          \
  X(UNSUPPORTED_MODEL, "model that is not supported")                                              \
  X(CANCELLED, "cancelled")                                                                        \
  X(DIVERGED, "the trajectory cannot be followed any further")

enum irrep_status {
#define IRREP_STATUS_ENUM(name, message) IRREP_##name,
  IRREP_STATUS_MAP(IRREP_STATUS_ENUM)
#undef IRREP_STATUS_ENUM
};

/* What failed and where. The caller owns it; it is plain data and may be copied. Its layout never
 * changes. */
struct irrep_error {
  enum irrep_status status;
  char field[64];   /* the field at fault as the tail of a JSON pointer, e.g. "numbers/3" or "cell";
                       "" where there is none */
  char detail[256]; /* one English sentence that says what is wrong and what would be accepted */
};

/* Returns the name of a status, e.g. "UNKNOWN_ELEMENT"; "UNKNOWN" for a number that is no status.
 * The text is static. Thread-safe. */
const char *irrep_status_name(enum irrep_status status);

/* Returns the message of a status, e.g. "element that the model was not trained on"; "unknown
 * status" for a number that is no status. The text is static. Thread-safe. */
const char *irrep_status_message(enum irrep_status status);

/* Fills error, unless it is NULL, with the status, the field ("" for NULL) and a detail that is
 * formatted as by printf, both cut to their arrays. Returns the status. The field and the arguments
 * may point into *error. Thread-safe on distinct errors. */
enum irrep_status irrep_fail(struct irrep_error *error, enum irrep_status status, const char *field,
                             const char *format, ...) IRREP_PRINTF(4, 5);

#ifdef __cplusplus
}
#endif

#endif
