/* A strict, bounded pull reader of JSON (RFC 8259) for text that nobody vouches for.
 *
 * It copies nothing but the string or number that is asked for, allocates nothing, and does not
 * recurse. The caller walks the text in its own order:
 *
 *     struct json_reader r = json_reader_over(text, size);
 *     char key[64];
 *     json_object_begin(&r);
 *     while (json_object_next(&r, key, sizeof key)) {
 *       if (strcmp(key, "r_max") == 0)
 *         json_double(&r, &r_max);
 *       else if (strcmp(key, "shape") == 0)
 *         for (json_array_begin(&r); json_array_next(&r);)
 *           json_size(&r, &shape[n++]);                  ... after a check of n
 *       else
 *         json_skip(&r);
 *     }
 *     if (!json_end(&r))
 *       report(r.message, r.position);
 *
 * The first error sticks: every later call does nothing and returns false, loops over keys and
 * elements end, and outputs of failed calls are not written (string buffers become empty). So a
 * caller may check once, at json_end, unless a value decides what it does next. Calls out of turn
 * (two values where one is due, a value left unread, a next that does not fit the innermost
 * container) are errors too.
 *
 * Refused beyond RFC 8259: nesting deeper than JSON_DEPTH_MAX, a byte order mark, U+0000 in strings
 * (so that C strings compare safely), strings that are not UTF-8, surrogates without their other
 * half, numbers too large for a double. Keys may repeat: that is the caller's business.
 *
 * The text is not owned and must outlive the reader. No reader is shared: distinct readers may be
 * used by distinct threads. */
#ifndef CORE_BASE_JSON_H
#define CORE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 16

enum json_type {
  JSON_NONE, /* no value comes next: a container's end, the text's end, or an error */
  JSON_OBJECT,
  JSON_ARRAY,
  JSON_STRING,
  JSON_NUMBER,
  JSON_BOOL,
  JSON_NULL
};

/* Plain data: a copy is a bookmark to read on from. The first members are for others too; those to
 * be set are set before anything is read. */
struct json_reader {
  const char *message; /* static text of the first error, NULL while there is none */
  size_t position;     /* of that error, in bytes from the start */
  size_t values_left;  /* scalars and containers that may still be read; SIZE_MAX to begin with */
  bool too_many;       /* that error is that values_left was 0 */
  bool non_finite;     /* NaN, Infinity and -Infinity are numbers for json_double and json_skip, as
                          many writers put them; a number too large for a double is infinite */
  bool value_due;      /* a value must be read before the next key, element or end */
  uint32_t objects;    /* bit d-1: the container at depth d is an object */
  uint32_t nonempty;   /* bit d-1: it has had a member */
  size_t depth;        /* containers open */
  const char *start, *at, *end;
};

/* A reader at the one value that text [size] must hold. text may be NULL when size is 0. */
struct json_reader json_reader_over(const char *text, size_t size);

/* The type of the value that comes next, by its first byte; reads nothing and sets no error. */
enum json_type json_peek(const struct json_reader *reader);

/* Enters the object or array that comes next. false: an error. */
bool json_object_begin(struct json_reader *reader);
bool json_array_begin(struct json_reader *reader);

/* Goes on to the next member of the innermost object, and decodes its key into key [size] as
 * NUL-terminated UTF-8; its value must be read or skipped then. false: the object has ended (and is
 * left), or an error, a key of size bytes or more among them. */
bool json_object_next(struct json_reader *reader, char *key, size_t size);

/* As json_object_next, but of a key that is too long the beginning is given. */
bool json_object_next_cut(struct json_reader *reader, char *key, size_t size);

/* Goes on to the next element of the innermost array, which must be read or skipped then. false:
 * the array has ended (and is left), or an error. */
bool json_array_next(struct json_reader *reader);

/* Decodes the string that comes next into string [size] as NUL-terminated UTF-8, escapes resolved.
 * length, if not NULL, gets the bytes without the NUL. false: an error, a string of size bytes or
 * more among them. */
bool json_string(struct json_reader *reader, char *string, size_t size, size_t *length);

/* A size of buffer that is enough for json_string now: at most the bytes of the text left. 0 when
 * no string comes next. Checks only that the string ends, and sets no error. */
size_t json_string_bound(const struct json_reader *reader);

/* Reads a number, correctly rounded in any locale, of any length. false: an error; a number too
 * large for a double is one, unless non_finite is set. */
bool json_double(struct json_reader *reader, double *number);

/* Reads the next elements of the innermost array as json_double does, as long as they are numbers
 * and fewer than n; returns how many. json_array_next then goes on behind them. 0 after an error,
 * and where no element may be read now. */
size_t json_doubles(struct json_reader *reader, double *numbers, size_t n);

/* Reads an integer of plain digits, 0 <= number < 2^53. false: an error; a sign, a fraction or an
 * exponent is one. */
bool json_size(struct json_reader *reader, size_t *number);

bool json_bool(struct json_reader *reader, bool *truth);
bool json_null(struct json_reader *reader);

/* Passes over the value that comes next, whatever it is, with the same checks as reading it. */
bool json_skip(struct json_reader *reader);

/* As json_skip; the value is what the reader's text holds at *value [*size]. */
bool json_raw(struct json_reader *reader, const char **value, size_t *size);

/* Whether the one value was read whole and only blanks follow; the last call on a reader. */
bool json_end(struct json_reader *reader);

/* Records the caller's own complaint (static text) at the place reached, unless an error stands
 * already. Always false. */
bool json_fail(struct json_reader *reader, const char *message);

#endif
